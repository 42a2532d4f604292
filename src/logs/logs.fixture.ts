import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Call } from "../door/service.ts";
import { silentLog } from "../lib/log.ts";
import { systemRandom } from "../lib/random.ts";
import { Permits } from "../lib/turns.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";
import { createCache } from "../store/cache.ts";
import { openMemoryStore } from "../store/memory.ts";
import { openLogStore } from "../telemetry/segment-log-store.ts";
import type { LogsServiceDeps } from "./deps.ts";
import { GroupSizes } from "./group-sizes.ts";
import { createLogGroup } from "./groups.ts";
import { logsIndexes } from "./indexes.ts";
import { LiveTails } from "./live-tails.ts";
import { createLogStream } from "./streams.ts";

/** When the tests begin: 2026-11-01T00:00:00Z. */
export const NOW: number = Date.UTC(2026, 10, 1);

export interface LogsKit {
  readonly deps: LogsServiceDeps;
  readonly call: Call;
  readonly clock: VirtualClock;
}

/** CloudWatch Logs on an empty store and an engine of its own, cleared away after the test. */
export async function startLogs(t: TestContext): Promise<LogsKit> {
  const directory = await mkdtemp(join(tmpdir(), "gantry-logs-"));
  const store = openMemoryStore();
  const cache = createCache({ store, indexes: logsIndexes, log: silentLog });
  const abort = new AbortController();
  const following = cache.run(abort.signal);
  const logStore = await openLogStore({ directory, log: silentLog });
  t.after(async () => {
    abort.abort();
    await following.catch(() => undefined);
    await logStore.close();
    await store.close();
    await rm(directory, { recursive: true });
  });
  await cache.reached(0);
  const clock = new VirtualClock(NOW);
  return {
    deps: {
      store,
      cache,
      logStore,
      clock,
      random: systemRandom,
      log: silentLog,
      sizes: new GroupSizes({ cache, logStore }),
      tails: new LiveTails(),
      scans: new Permits(1),
    },
    clock,
    call: callOf("000000000000"),
  };
}

/** A call of an account's root. */
export function callOf(accountId: string, region = "eu-central-1"): Call {
  return {
    principal: {
      accountId,
      arn: `arn:aws:iam::${accountId}:root`,
      accessKeyId: "AKIATEST",
      kind: "root",
    },
    region,
    signedAt: 1_700_000_000_000,
    requestId: "test",
    endpoint: "http://127.0.0.1:4566",
    sourceIp: "127.0.0.1",
    signal: new AbortController().signal,
  };
}

/** The group `/demo` with the stream `web`. */
export async function createDemo({ deps, call }: LogsKit): Promise<typeof DEMO> {
  await createLogGroup(deps, { logGroupName: DEMO.logGroupName }, call);
  await createLogStream(deps, DEMO, call);
  return DEMO;
}

const DEMO = { logGroupName: "/demo", logStreamName: "web" } as const;

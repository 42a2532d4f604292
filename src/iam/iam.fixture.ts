import type { TestContext } from "node:test";
import type { Call } from "../door/service.ts";
import { silentLog } from "../lib/log.ts";
import { systemRandom } from "../lib/random.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";
import { createCache } from "../store/cache.ts";
import { openMemoryStore } from "../store/memory.ts";
import type { Write } from "../store/store.ts";
import type { IamDeps } from "./deps.ts";
import { iamIndexes } from "./indexes.ts";

/** When the tests begin: 2026-11-01T00:00:00Z. */
export const NOW: number = Date.UTC(2026, 10, 1);
export const ACCOUNT = "111111111111";

export interface IamKit {
  readonly deps: IamDeps;
  readonly clock: VirtualClock;
  /** A call of the account's root. */
  readonly call: Call;
  /** Writes records as they are. */
  write(...writes: readonly Write[]): Promise<void>;
}

/** IAM on an empty store, cleared away after the test. */
export async function startIam(t: TestContext): Promise<IamKit> {
  const store = openMemoryStore();
  const cache = createCache({ store, indexes: iamIndexes, log: silentLog });
  const end = new AbortController();
  const following = cache.run(end.signal);
  t.after(async () => {
    end.abort();
    await following;
    await store.close();
  });
  await cache.reached(0);
  const clock = new VirtualClock(NOW);
  return {
    deps: { store, cache, clock, random: systemRandom, log: silentLog },
    clock,
    call: callOf(ACCOUNT),
    write: async (...writes) => cache.reached((await store.txn([], writes)).revision),
  };
}

/** A call of an account's root. */
export function callOf(accountId: string): Call {
  return {
    principal: {
      accountId,
      arn: `arn:aws:iam::${accountId}:root`,
      accessKeyId: "AKIATEST",
      kind: "root",
    },
    region: "us-east-1",
    signedAt: 1_700_000_000_000,
    requestId: "test",
    endpoint: "http://127.0.0.1:4566",
    sourceIp: "127.0.0.1",
    signal: new AbortController().signal,
  };
}

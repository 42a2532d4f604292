import { RENEW_AGAIN_MS } from "../../src/cli/fresh-keys.ts";
import type { Instance } from "../../src/ecs/model/instance.ts";
import { ecsKind } from "../../src/ecs/model/keys.ts";
import {
  ACCESS_KEYS_PREFIX,
  type AccessKey,
  KEY_OWNERS_PREFIX,
} from "../../src/iam/model/access-key.ts";
import type { Change } from "../../src/store/store.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

/** One in the machine's account, one in the fleet's. */
const KEYS_PER_RENEWAL = 2;

/** Lets `ms` pass in a world that has settled. Throws Violation for a write or a start of a container (L4). */
export async function watchQuiet(world: World, ms: number): Promise<void> {
  const { clock, machines, store } = world;
  const { revision } = await store.list("/");
  const over = new AbortController();
  const instances = new Map(
    world.records.list<Instance>("instances").map((instance) => [instance.id, instance]),
  );
  let keysLeft = machines.length * KEYS_PER_RENEWAL * (1 + Math.ceil(ms / RENEW_AGAIN_MS));
  const watching = (async (): Promise<void> => {
    for await (const changes of store.watch("/", revision, over.signal)) {
      for (const change of changes) {
        if (isNewNodeKey(change) && keysLeft-- <= 0)
          throw new Violation("L4", "keys are renewed again and again");
        check(change, instances);
      }
    }
  })();
  const startsBefore = countStarts(world);
  await Promise.race([watching, clock.sleep(ms)]);
  over.abort();
  await watching;
  if (countStarts(world) !== startsBefore) {
    throw new Violation("L4", `containers are started again on ${machines.length} machines`);
  }
}

/**
 * What is written by design: an agent's connection ends every half hour, and with it `agentConnected` for a moment; tasks
 * and tokens are deleted when their time has come; a machine whose keys could not be renewed tries again.
 */
function check({ key, record }: Change, instances: Map<string, Instance>): void {
  const after = record?.value as Instance | undefined;
  const before = after && instances.get(after.id);
  const isReconnect =
    ecsKind(key) === "instances" &&
    before !== undefined &&
    after !== undefined &&
    withoutConnection(before) === withoutConnection(after);
  const isReaped = record === undefined && REAPED.has(ecsKind(key) ?? "");
  const isWithdrawal = record === undefined && key.startsWith(ACCESS_KEYS_PREFIX);
  const isRenewal =
    isWithdrawal || isNewNodeKey({ key, record }) || key.startsWith(KEY_OWNERS_PREFIX);
  if (!isReconnect && !isReaped && !isRenewal)
    throw new Violation("L4", `${key} is written though nothing happens`);
}

function isNewNodeKey({ key, record }: Pick<Change, "key" | "record">): boolean {
  return key.startsWith(ACCESS_KEYS_PREFIX) && (record?.value as AccessKey)?.kind === "node";
}

const REAPED: ReadonlySet<string> = new Set(["tasks", "run-tokens", "instances", "clusters"]);

function withoutConnection({ agentConnected: _, disconnectedAt: __, ...rest }: Instance): string {
  return JSON.stringify(Object.entries(rest).toSorted());
}

function countStarts({ machines }: World): number {
  return machines.reduce(
    (sum, { runtime }) => sum + [...runtime.starts.values()].reduce((a, b) => a + b, 0),
    0,
  );
}

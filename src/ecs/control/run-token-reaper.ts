import { commit } from "../../store/commit.ts";
import type { Controller } from "../../store/controller.ts";
import type { StoreRecord } from "../../store/store.ts";
import { ecsKind, taskKey } from "../model/keys.ts";
import { tokenExpiresAt } from "../model/run-token.ts";
import type { RunToken, Task } from "../model/task.ts";
import type { EcsDeps } from "./deps.ts";

/** Chosen: tokens deleted in one round. A transaction may have up to `STORE_TXN_OPERATIONS_MAX`. */
const BATCH_MAX = 100;
/** Chosen: no slot is looked at more often, however many of its tokens fall due one after the other. */
const REST_MS_MIN = 60_000;

/**
 * Deletes client tokens of RunTask when they no longer stand for anything. Its objects are slots: the tokens of a cluster
 * whose names begin with the same two characters.
 */
export function createRunTokenReaper(deps: EcsDeps): Controller {
  /** Slots that have a look ahead of them: later tokens of a slot fall due later, so a change there needs no other. */
  const awaited = new Set<string>();
  return {
    name: "run-token-reaper",
    keysFor: ({ key, after }) =>
      after !== undefined && isToken(key) && !awaited.has(slotOf(key)) ? [slotOf(key)] : [],
    allKeys: (cache) =>
      new Set(
        cache
          .list("/")
          .filter(({ key }) => isToken(key))
          .map(({ key }) => slotOf(key)),
      ),
    reconcile: async (slot) => {
      awaited.add(slot);
      const now = deps.clock.now();
      const tokens = deps.cache.list(slot);
      const ends = tokens.map((token) => tokenDueAt(deps, token));
      const due = tokens.filter((_, i) => (ends[i] ?? now) <= now);
      if (due.length > 0) {
        await remove(deps, due.slice(0, BATCH_MAX));
        return { againAfterMs: 0 };
      }
      if (tokens.length > 0) {
        const next = ends.reduce((least, at) => Math.min(least, at), Number.MAX_SAFE_INTEGER);
        return { againAfterMs: Math.max(REST_MS_MIN, next - now) };
      }
      awaited.delete(slot);
      return undefined;
    },
  };
}

function isToken(key: string): boolean {
  return ecsKind(key) === "run-tokens";
}

/** The prefix of a record's neighbours: its cluster's, and two characters more. */
function slotOf(key: string): string {
  return key.slice(0, key.lastIndexOf("/") + 3);
}

/** While a token's tasks live, its end is seen again an hour from now. */
function tokenDueAt({ cache, clock }: EcsDeps, { key, value }: StoreRecord): number {
  const token = value as RunToken;
  const [, accountId = "", region = "", , , cluster = ""] = key.split("/");
  const tasks = token.taskIds.flatMap(
    (id) =>
      (cache.get(taskKey({ accountId, region }, cluster, id))?.value as Task | undefined) ?? [],
  );
  return tokenExpiresAt(token, tasks, clock.now());
}

/** A token can be written anew when it has expired: only what was seen is deleted. */
async function remove(deps: EcsDeps, records: readonly StoreRecord[]): Promise<void> {
  await commit(
    deps,
    records.map(({ key, revision }) => ({ key, revision })),
    records.map(({ key }) => ({ key, value: undefined })),
  );
}

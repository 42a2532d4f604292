import { commit } from "../../store/commit.ts";
import type { Controller } from "../../store/controller.ts";
import type { StoreRecord } from "../../store/store.ts";
import { ecsKind, taskKey } from "../model/keys.ts";
import { tokenExpiresAt } from "../model/run-token.ts";
import type { RunToken, Task } from "../model/task.ts";
import type { EcsDeps } from "./deps.ts";

export interface TaskReaperOptions {
  /** How long a STOPPED task can still be described, in milliseconds. ECS: at least an hour. */
  readonly retentionMs: number;
}

/** Chosen: records deleted in one round. A transaction may have up to `STORE_TXN_OPERATIONS_MAX`. */
const BATCH_MAX = 100;
/** Chosen: no slot is looked at more often, however many of its records fall due one after the other. */
const REST_MS_MIN = 60_000;

/**
 * Deletes STOPPED tasks when they have been kept long enough, and client tokens of RunTask when they no longer stand for
 * anything. Its objects are slots: the records below a cluster whose ids begin with the same two characters, so that a
 * round sees some hundreds of records where a cluster has a hundred thousand.
 */
export function createTaskReaper(deps: EcsDeps, { retentionMs }: TaskReaperOptions): Controller {
  /** Slots that have a look ahead of them: later records of a slot fall due later, so a change there needs no other. */
  const awaited = new Set<string>();
  const dueAt = (record: StoreRecord): number | undefined => {
    if (ecsKind(record.key) === "run-tokens") return tokenDueAt(deps, record);
    const { lastStatus, stoppedAt } = membersOf(record);
    return lastStatus === "STOPPED" ? (stoppedAt ?? 0) + retentionMs : undefined;
  };
  return {
    name: "task-reaper",
    keysFor: ({ key, after }) => {
      if (!after || !isReaped(key)) return [];
      const slot = slotOf(key);
      const isNew = !awaited.has(slot) && (ecsKind(key) === "run-tokens" || hasStopped(after));
      return isNew ? [slot] : [];
    },
    allKeys: (cache) =>
      new Set(
        cache
          .list("/")
          .filter(({ key }) => isReaped(key))
          .map(({ key }) => slotOf(key)),
      ),
    reconcile: async (slot) => {
      awaited.add(slot);
      const now = deps.clock.now();
      const found = deps.cache.list(slot).flatMap((record) => {
        const at = dueAt(record);
        return at === undefined ? [] : [{ record, at }];
      });
      const due = found.filter(({ at }) => at <= now).map(({ record }) => record);
      if (due.length > 0) {
        await remove(deps, due.slice(0, BATCH_MAX));
        return { againAfterMs: 0 };
      }
      if (found.length > 0) {
        const next = found.reduce((least, { at }) => Math.min(least, at), Number.POSITIVE_INFINITY);
        return { againAfterMs: Math.max(REST_MS_MIN, next - now) };
      }
      awaited.delete(slot);
      return undefined;
    },
  };
}

function isReaped(key: string): boolean {
  const kind = ecsKind(key);
  return kind === "tasks" || kind === "run-tokens";
}

/** The prefix of a record's neighbours: its cluster's, and two characters more. */
function slotOf(key: string): string {
  return key.slice(0, key.lastIndexOf("/") + 3);
}

/** Read without parsing the rest: most tasks of a large store are never asked for. */
function membersOf(record: StoreRecord): Partial<Task> {
  return record.members(["lastStatus", "stoppedAt"]);
}

function hasStopped(record: StoreRecord): boolean {
  return membersOf(record).lastStatus === "STOPPED";
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
  if (records.length === 0) return;
  await commit(
    deps,
    records.map(({ key, revision }) => ({ key, revision })),
    records.map(({ key }) => ({ key, value: undefined })),
  );
}

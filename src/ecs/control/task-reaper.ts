import { commit } from "../../store/commit.ts";
import type { Controller } from "../../store/controller.ts";
import type { StoreRecord } from "../../store/store.ts";
import { ecsKind } from "../model/keys.ts";
import type { Task } from "../model/task.ts";
import type { EcsDeps } from "./deps.ts";
import { stopMinuteOf } from "./indexes.ts";

export interface TaskReaperOptions {
  /** How long a STOPPED task can still be described, in milliseconds. ECS: at least an hour. */
  readonly retentionMs: number;
}

const MINUTE_MS = 60_000;
/** Chosen: tasks deleted in one round. A transaction may have up to `STORE_TXN_OPERATIONS_MAX`. */
const BATCH_MAX = 100;

/**
 * Deletes STOPPED tasks when they have been kept long enough. Its objects are the minutes in which tasks stopped: when one is
 * due, so are all of its tasks, and none of them has to be read.
 */
export function createTaskReaper(deps: EcsDeps, { retentionMs }: TaskReaperOptions): Controller {
  /** Minutes that have a look ahead of them: their tasks fall due together. */
  const awaited = new Set<string>();
  return {
    name: "task-reaper",
    keysFor: ({ key, after }) => {
      if (after === undefined || ecsKind(key) !== "tasks") return [];
      const minute = stopMinuteOf(after);
      return minute === undefined || awaited.has(minute) ? [] : [minute];
    },
    allKeys: (cache) => cache.valuesOf("stoppedTasksByMinute"),
    reconcile: async (minute) => {
      const records = deps.cache.lookup("stoppedTasksByMinute", minute);
      if (records.length === 0) {
        awaited.delete(minute);
        return undefined;
      }
      awaited.add(minute);
      const now = deps.clock.now();
      const { due, nextAt } = dueOf(records, Number(minute), now - retentionMs);
      if (due.length === 0) return { againAfterMs: nextAt + retentionMs - now };
      await remove(deps, due.slice(0, BATCH_MAX));
      return { againAfterMs: 0 };
    },
  };
}

/** Which of a minute's tasks stopped by `until`; else when the first of them did, or its minute was over. */
function dueOf(
  records: readonly StoreRecord[],
  minute: number,
  until: number,
): { readonly due: readonly StoreRecord[]; readonly nextAt: number } {
  if (minute > 0) {
    const nextAt = (minute + 1) * MINUTE_MS;
    return { due: nextAt <= until ? records : [], nextAt };
  }
  // Written in another order of members than today's: only the documents tell.
  const stops = records.map(({ value }) => (value as Task).stoppedAt ?? 0);
  const due = records.filter((_, i) => (stops[i] ?? 0) <= until);
  return { due, nextAt: stops.reduce((least, at) => Math.min(least, at), Number.MAX_SAFE_INTEGER) };
}

/** A record that has changed meanwhile stays for the next round. */
async function remove(deps: EcsDeps, records: readonly StoreRecord[]): Promise<void> {
  await commit(
    deps,
    records.map(({ key, revision }) => ({ key, revision })),
    records.map(({ key }) => ({ key, value: undefined })),
  );
}

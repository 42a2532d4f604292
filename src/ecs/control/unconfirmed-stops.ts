import { addressKey, interfaceKey } from "../../ec2/model.ts";
import { UnavailableError } from "../../lib/errors.ts";
import { commit } from "../../store/commit.ts";
import type { StoreRecord, Write } from "../../store/store.ts";
import { taskKey, unconfirmedStopKey } from "../model/keys.ts";
import type { Task, UnconfirmedStop } from "../model/task.ts";
import type { EcsDeps } from "./deps.ts";

/** Lost races in a row: far more than fair competition needs. */
const ATTEMPTS_MAX = 20;

/** A task by what names it. */
export type TaskName = Pick<Task, "accountId" | "region" | "clusterName" | "id">;

/** The record that a task's machine still has to confirm its end, if there is one. */
export function findUnconfirmedStop(
  { cache }: Pick<EcsDeps, "cache">,
  task: TaskName,
): StoreRecord | undefined {
  return cache.get(unconfirmedStopKey(task, task.clusterName, task.id));
}

/**
 * The task is known to run nowhere: its interface and address are free. Safe to call again. Throws UnavailableError when the
 * task keeps changing.
 */
export async function confirmStop(deps: EcsDeps, { key }: StoreRecord): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const record = deps.cache.get(key);
    // Someone was faster.
    if (record === undefined) return;
    const stop = record.value as UnconfirmedStop;
    const task = deps.cache.get(taskKey(stop, stop.clusterName, stop.id));
    const compare = [record, ...(task ? [task] : [])];
    const isWritten = await commit(
      deps,
      compare.map(({ key, revision }) => ({ key, revision })),
      [
        { key, value: undefined },
        ...interfaceRemovals(stop),
        ...(task
          ? [{ key: task.key, value: confirmed(task.value as Task, deps.clock.now()) }]
          : []),
      ],
    );
    if (isWritten) return;
  }
  throw new UnavailableError(`${key} keeps changing`);
}

/** With what indexes read at its beginning, as in a new task. */
function confirmed({ isUnconfirmed: _, ...task }: Task, now: number): Task {
  return { confirmedAt: now, ...task, version: task.version + 1 };
}

/** What gives a task's interface and address back. */
export function interfaceRemovals(
  task: Pick<UnconfirmedStop, "accountId" | "region" | "attachment">,
): readonly Write[] {
  const { networkInterfaceId, subnetId, privateIpv4Address } = task.attachment ?? {};
  const writes: Write[] = [];
  if (networkInterfaceId !== undefined) {
    writes.push({ key: interfaceKey(task, networkInterfaceId), value: undefined });
  }
  if (subnetId !== undefined && privateIpv4Address !== undefined) {
    writes.push({ key: addressKey(task, subnetId, privateIpv4Address), value: undefined });
  }
  return writes;
}

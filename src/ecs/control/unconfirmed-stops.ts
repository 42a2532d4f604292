import { addressKey, interfaceKey } from "../../ec2/model.ts";
import { commit } from "../../store/commit.ts";
import type { StoreRecord, Write } from "../../store/store.ts";
import { unconfirmedStopKey } from "../model/keys.ts";
import type { Task, UnconfirmedStop } from "../model/task.ts";
import type { EcsDeps } from "./deps.ts";

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
 * The task is known to run nowhere: its interface and address are free. Safe to call again; someone who was faster has done
 * the same.
 */
export async function confirmStop(
  deps: EcsDeps,
  { key, revision, value }: StoreRecord,
): Promise<void> {
  await commit(
    deps,
    [{ key, revision }],
    [{ key, value: undefined }, ...interfaceRemovals(value as UnconfirmedStop)],
  );
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

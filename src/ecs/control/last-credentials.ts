import type { ServerMessage } from "../../protocol/acs.ts";
import type { StoreRecord } from "../../store/store.ts";
import { clusterArn, taskArn } from "../model/arn.ts";
import { instanceKey, taskKey } from "../model/keys.ts";
import { doneAt, type Task, type UnconfirmedStop } from "../model/task.ts";
import type { EcsDeps } from "./deps.ts";
import { minuteOf } from "./indexes.ts";
import {
  mintTaskCredentials,
  rolesOf,
  SHIPPING_MS_MAX,
  type TaskCredentialsDeps,
} from "./task-credentials.ts";

/** Chosen: what ends on one machine in that time, and no more than a connection takes at once. */
const TASKS_MAX = 1_000;
const MINUTE_MS = 60_000;
/** Chosen: clocks that are wrong by more when a task ends are noticed, and set right, before. */
const SET_BACK_MS_MAX = 24 * 3_600_000;

/**
 * The credentials of tasks that are ending or have just ended on one instance, the latest first. A new agent process has none;
 * what is ending may still work under its role, and its last output is shipped under the execution role, also after its end.
 * A process that was away for long has none that are good for tasks which were lost meanwhile. An agent that has nothing left to
 * do for a task ignores them.
 */
export async function lastCredentials(
  deps: EcsDeps & TaskCredentialsDeps,
  instance: string,
  { isNewProcess }: { readonly isNewProcess: boolean },
): Promise<readonly ServerMessage[]> {
  const ending = isNewProcess
    ? [
        ...deps.cache.lookup("liveTasksByInstance", instance),
        ...doneLately(deps).filter((record) => isOn(record, instance)),
      ]
    : [];
  const tasks = [...ending, ...lostTasks(deps, instance)]
    .map(({ value }) => value as Task)
    .filter(({ desiredStatus }) => desiredStatus === "STOPPED")
    .toSorted((a, b) => (b.stoppingAt ?? 0) - (a.stoppingAt ?? 0))
    .slice(0, TASKS_MAX);
  const messages: ServerMessage[] = [];
  for (const task of tasks) {
    const roles = rolesOf(task).filter(
      ({ roleType }) => roleType === "TaskExecution" || task.lastStatus !== "STOPPED",
    );
    for (const role of roles) {
      const minted = await mintTaskCredentials(deps, task, role);
      if (minted === undefined) continue;
      messages.push({
        type: "IAMRoleCredentialsMessage",
        message: {
          messageId: deps.random.uuid(),
          taskArn: taskArn(task, task.clusterName, task.id),
          taskClusterArn: clusterArn(task, task.clusterName),
          roleType: role.roleType,
          roleCredentials: minted.credentials,
        },
      });
    }
  }
  return messages;
}

/**
 * The tasks of all instances that their machines were done with within the time for shipping; also at a time that is still to
 * come, when the clocks have been set back.
 */
function doneLately({ cache, clock }: EcsDeps): readonly StoreRecord[] {
  const now = clock.now();
  const since = now - SHIPPING_MS_MAX;
  const minutes = new Set([minuteOf(0)]);
  for (let at = since; at < now + SET_BACK_MS_MAX; at += MINUTE_MS) minutes.add(minuteOf(at));
  const records = [...minutes].flatMap((minute) => [
    ...cache.lookup("stoppedTasksByMinute", minute),
    ...cache.lookup("confirmedTasksByMinute", minute),
  ]);
  const isRecent = ({ value }: StoreRecord): boolean => {
    const at = doneAt(value as Task);
    return at >= since && Number.isFinite(at);
  };
  return [...new Set(records)].filter(isRecent);
}

/** The tasks of an instance that are STOPPED in the books, and maybe not on its machine. */
function lostTasks({ cache }: EcsDeps, instance: string): readonly StoreRecord[] {
  return cache.lookup("unconfirmedStopsByInstance", instance).flatMap(({ value }) => {
    const stop = value as UnconfirmedStop;
    return cache.get(taskKey(stop, stop.clusterName, stop.id)) ?? [];
  });
}

function isOn({ value }: StoreRecord, key: string): boolean {
  const { instance } = (value as Task).placement;
  return instanceKey(instance, instance.clusterName, instance.id) === key;
}

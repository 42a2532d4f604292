import type { ServerMessage } from "../../protocol/acs.ts";
import type { StoreRecord } from "../../store/store.ts";
import { clusterArn, taskArn } from "../model/arn.ts";
import { instanceKey } from "../model/keys.ts";
import type { Task } from "../model/task.ts";
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

/**
 * The credentials of tasks that are ending or have just ended on one instance, the latest first. A new agent process has none;
 * what is ending may still work under its role, and its last output is shipped under the execution role, also after its end.
 * An agent that has nothing left to do for a task ignores them.
 */
export async function lastCredentials(
  deps: EcsDeps & TaskCredentialsDeps,
  instance: string,
): Promise<readonly ServerMessage[]> {
  const tasks = [
    ...deps.cache.lookup("liveTasksByInstance", instance),
    ...stoppedLately(deps).filter((record) => isOn(record, instance)),
  ]
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

/** The tasks of all instances that stopped within the time for shipping. */
function stoppedLately({ cache, clock }: EcsDeps): readonly StoreRecord[] {
  const now = clock.now();
  const since = now - SHIPPING_MS_MAX;
  const minutes = new Set([minuteOf(0)]);
  for (let at = since; at < now + MINUTE_MS; at += MINUTE_MS) minutes.add(minuteOf(at));
  return [...minutes]
    .flatMap((minute) => cache.lookup("stoppedTasksByMinute", minute))
    .filter(({ value }) => ((value as Task).stoppedAt ?? 0) >= since);
}

function isOn({ value }: StoreRecord, key: string): boolean {
  const { instance } = (value as Task).placement;
  return instanceKey(instance, instance.clusterName, instance.id) === key;
}

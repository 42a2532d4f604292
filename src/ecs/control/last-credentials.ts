import type { ServerMessage } from "../../protocol/acs.ts";
import { clusterArn, taskArn } from "../model/arn.ts";
import type { Task } from "../model/task.ts";
import type { EcsDeps } from "./deps.ts";
import {
  mintTaskCredentials,
  rolesOf,
  SHIPPING_MS_MAX,
  type TaskCredentialsDeps,
} from "./task-credentials.ts";

/** Chosen: what ends on one machine in that time, and no more than a connection takes at once. */
const TASKS_MAX = 1_000;

/**
 * The credentials of tasks that are ending or have just ended on one instance, the latest first. A new agent process has none;
 * what is ending may still work under its role, and its last output is shipped under the execution role, also after its end.
 * An agent that has nothing left to do for a task ignores them.
 */
export async function lastCredentials(
  deps: EcsDeps & TaskCredentialsDeps,
  instanceKey: string,
): Promise<readonly ServerMessage[]> {
  const since = deps.clock.now() - SHIPPING_MS_MAX;
  const tasks = deps.cache
    .lookup("tasksByInstance", instanceKey)
    .map(({ value }) => value as Task)
    .filter(
      ({ desiredStatus, stoppedAt = since }) => desiredStatus === "STOPPED" && stoppedAt >= since,
    )
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

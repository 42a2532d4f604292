import type { Dataplane } from "../../dataplane/dataplane.ts";
import type { ContainerNetwork } from "../../runtime/runtime.ts";
import { TaskFailure } from "../task-failure.ts";
import { type AssignedTask, taskIdOf } from "../task-record.ts";

/** One wait for the node's feed to bring the interface. Short, so that a task that is stopped meanwhile goes on to stop. */
const ATTACH_WAIT_MS = 2_000;

/**
 * Joins the task to its network. All its containers share what is returned. Throws DataplaneError while the network is not
 * there yet: trying again may help.
 */
export async function networkUp(
  dataplane: Dataplane,
  task: AssignedTask,
): Promise<ContainerNetwork> {
  const taskId = taskIdOf(task.arn);
  switch (task.networkMode) {
    case "host":
      return { mode: "host" };
    case "none":
      return { mode: "namespace", path: await dataplane.isolate(taskId) };
    case "awsvpc":
      return { mode: "namespace", path: await attach(dataplane, task, taskId) };
    default:
      throw new TaskFailure("ResourceInitializationError: network mode bridge is not supported");
  }
}

async function attach(dataplane: Dataplane, task: AssignedTask, taskId: string): Promise<string> {
  const eni = task.elasticNetworkInterfaces?.[0];
  if (eni === undefined) {
    throw new TaskFailure("ResourceInitializationError: the task has no network interface");
  }
  return dataplane.attach(taskId, eni.ec2Id, ATTACH_WAIT_MS);
}

/** Takes the task off its network. */
export async function networkDown(dataplane: Dataplane, task: AssignedTask): Promise<void> {
  if (task.networkMode !== "host") await dataplane.detach(taskIdOf(task.arn));
}

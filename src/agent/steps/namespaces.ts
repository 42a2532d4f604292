import { messageOf } from "../../lib/errors.ts";
import { RuntimeError } from "../../runtime/runtime.ts";
import { holderIdOf, holderOf } from "../shared-namespaces.ts";
import { TaskFailure } from "../task-failure.ts";
import type { AssignedTask } from "../task-record.ts";
import type { ContainersDeps } from "./containers.ts";

/** Has the namespaces held that the task's containers share. Throws TaskFailure with the runtime's reason. */
export async function namespacesUp(deps: ContainersDeps, task: AssignedTask): Promise<void> {
  try {
    await deps.runtime.holdNamespaces(holderOf(task, deps));
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    throw new TaskFailure(`ResourceInitializationError: ${messageOf(error)}`);
  }
}

/** Lets the task's namespaces go, once no container is left in them. */
export async function namespacesDown(
  { runtime }: ContainersDeps,
  task: AssignedTask,
): Promise<void> {
  await runtime.remove(holderIdOf(task));
}

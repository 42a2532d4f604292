import { isNoSpace } from "../../lib/no-space.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { TaskStorageKey } from "../../runtime/task-storage.ts";
import type { AgentConfig } from "../agent-deps.ts";
import { TaskFailure } from "../task-failure.ts";
import { type AssignedTask, taskIdOf } from "../task-record.ts";

export interface StorageDeps {
  readonly runtime: Runtime;
  readonly config: AgentConfig;
}

/**
 * Makes the disk that all the containers and volumes of the task share, where the task has a limit to what it writes.
 * Returns its directory. Throws TaskFailure when the machine has no room for it, else RuntimeError: trying again may help.
 */
export async function storageUp(
  { config, runtime }: StorageDeps,
  task: AssignedTask,
): Promise<string | undefined> {
  const { ephemeralStorage } = task;
  if (ephemeralStorage === undefined) return undefined;
  const bytes = ephemeralStorage.sizeInGiB * 2 ** 30;
  try {
    return await runtime.createTaskStorage(storageKey(config, task.arn), bytes);
  } catch (error) {
    if (!isNoSpace(error)) throw error;
    throw new TaskFailure(
      "ResourceInitializationError: failed to create the task's ephemeral storage: no space left on device",
    );
  }
}

/** Takes the task's disk away, if it has one. Its containers must be gone. */
export async function storageDown(
  { config, runtime }: StorageDeps,
  task: AssignedTask,
): Promise<void> {
  if (task.ephemeralStorage === undefined) return;
  await runtime.removeTaskStorage(storageKey(config, task.arn));
}

/** Names a task's disk. */
export function storageKey({ label }: AgentConfig, taskArn: string): TaskStorageKey {
  return { taskId: taskIdOf(taskArn), owner: label };
}

import type { Runtime } from "../../runtime/runtime.ts";
import type { TaskStorageKey } from "../../runtime/task-storage.ts";
import type { AgentConfig } from "../agent-deps.ts";
import { type AssignedTask, taskIdOf } from "../task-record.ts";

export interface StorageDeps {
  readonly runtime: Runtime;
  readonly config: AgentConfig;
}

/**
 * Makes the disk that all the containers and volumes of the task share, where the task has a limit to what it writes.
 * Returns its directory. Throws RuntimeError: trying again may help.
 */
export async function storageUp(
  { config, runtime }: StorageDeps,
  task: AssignedTask,
): Promise<string | undefined> {
  const { ephemeralStorage } = task;
  if (ephemeralStorage === undefined) return undefined;
  return runtime.createTaskStorage(
    storageKey(config, task.arn),
    ephemeralStorage.sizeInGiB * 2 ** 30,
  );
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

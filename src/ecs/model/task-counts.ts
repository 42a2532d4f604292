import type { Task } from "./task.ts";

/** How many tasks of a cluster or instance are on their way up, and up. */
export interface TaskCounts {
  readonly runningCount: number;
  readonly pendingCount: number;
}

/** Tasks that stop still run until they have stopped. */
export function countTasks(tasks: readonly Task[]): TaskCounts {
  const pending = ["PROVISIONING", "PENDING", "ACTIVATING"];
  const running = ["RUNNING", "DEACTIVATING", "STOPPING"];
  return {
    pendingCount: tasks.filter(({ lastStatus }) => pending.includes(lastStatus)).length,
    runningCount: tasks.filter(({ lastStatus }) => running.includes(lastStatus)).length,
  };
}

import type { Task } from "./task.ts";

/** How many tasks of a cluster or instance are on their way up, and up. */
export interface TaskCounts {
  readonly runningCount: number;
  readonly pendingCount: number;
}

/** As what a task counts. Tasks that stop still run until they have stopped. */
export function countedAs(lastStatus: Task["lastStatus"]): "running" | "pending" | undefined {
  switch (lastStatus) {
    case "PROVISIONING":
    case "PENDING":
    case "ACTIVATING":
      return "pending";
    case "RUNNING":
    case "DEACTIVATING":
    case "STOPPING":
      return "running";
    case "DEPROVISIONING":
    case "STOPPED":
      return undefined;
  }
}

/** The counts of some tasks. */
export function countTasks(tasks: readonly Task[]): TaskCounts {
  const count = (as: "running" | "pending"): number =>
    tasks.filter(({ lastStatus }) => countedAs(lastStatus) === as).length;
  return { pendingCount: count("pending"), runningCount: count("running") };
}

import type { Container, HealthStatus, Task } from "./task.ts";

/** What an agent says of a container's health check. */
export interface HealthReport {
  readonly name: string;
  readonly status: HealthStatus;
}

/** The task with the health that its agent reports; the same object when there is nothing new. A stopped container's stays. */
export function withHealth(task: Task, reports: readonly HealthReport[]): Task {
  if (task.lastStatus === "STOPPED") return task;
  let isNew = false;
  const containers = task.containers.map((container): Container => {
    const report = reports.findLast(({ name }) => name === container.name);
    if (report === undefined || container.lastStatus === "STOPPED") return container;
    if (report.status === (container.healthStatus ?? "UNKNOWN")) return container;
    isNew = true;
    return { ...container, healthStatus: report.status };
  });
  return isNew ? { ...task, containers, version: task.version + 1 } : task;
}

/**
 * A task's health. ECS: UNHEALTHY if an essential container is; else UNKNOWN if the health of one is not known, because it has
 * no check or has not been checked yet; else HEALTHY.
 */
export function healthStatusOf({ containers }: Pick<Task, "containers">): HealthStatus {
  const essential = containers.filter((container) => container.essential);
  const has = (status: HealthStatus): boolean =>
    essential.some(({ healthStatus = "UNKNOWN" }) => healthStatus === status);
  if (has("UNHEALTHY")) return "UNHEALTHY";
  return has("UNKNOWN") || essential.length === 0 ? "UNKNOWN" : "HEALTHY";
}

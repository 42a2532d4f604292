import type { AssignedTask } from "./task-record.ts";

/** The labels that the ECS agent gives every container. */
export function ecsLabels(
  task: AssignedTask,
  containerName: string,
  cluster: string,
): Readonly<Record<string, string>> {
  return {
    "com.amazonaws.ecs.cluster": cluster,
    "com.amazonaws.ecs.container-name": containerName,
    "com.amazonaws.ecs.task-arn": task.arn,
    "com.amazonaws.ecs.task-definition-family": task.family,
    "com.amazonaws.ecs.task-definition-version": task.version,
  };
}

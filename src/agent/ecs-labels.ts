import { type AssignedTask, isFargate } from "./task-record.ts";

/** The cluster that a task knows of. On capacity that nobody manages the agent's own is not the task's. */
export function shownCluster(task: AssignedTask, configured: string): string {
  return isFargate(task) ? task.taskClusterArn : configured;
}

/** The labels that the ECS agent gives every container. `cluster`: as the agent is configured. */
export function ecsLabels(
  task: AssignedTask,
  containerName: string,
  cluster: string,
): Readonly<Record<string, string>> {
  return {
    "com.amazonaws.ecs.cluster": shownCluster(task, cluster),
    "com.amazonaws.ecs.container-name": containerName,
    "com.amazonaws.ecs.task-arn": task.arn,
    "com.amazonaws.ecs.task-definition-family": task.family,
    "com.amazonaws.ecs.task-definition-version": task.version,
  };
}

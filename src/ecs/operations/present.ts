import type {
  Cluster as AwsCluster,
  ContainerInstance as AwsInstance,
  TaskDefinition as AwsTaskDefinition,
  ClusterConfiguration,
  ClusterField,
  KeyValuePair,
  Resource,
} from "@aws-sdk/client-ecs";
import { clusterArn, instanceArn, taskDefinitionArn } from "../model/arn.ts";
import type { Cluster, Tag } from "../model/cluster.ts";
import type { HostResources, Instance } from "../model/instance.ts";
import { remainingOf } from "../model/resources.ts";
import type { Task } from "../model/task.ts";
import { countTasks, type TaskCounts } from "../model/task-counts.ts";
import type { TaskDefinition } from "../model/task-definition.ts";

/** Clusters, definitions and instances in AWS's words. Pure; absent stays absent. */

/** What the tasks and instances of a cluster add up to. */
export interface ClusterCounts {
  readonly ec2: TaskCounts;
  readonly fargate: TaskCounts;
  readonly external: TaskCounts;
  readonly instanceCount: number;
}

/** `include`: what the caller asks to see beyond the ordinary. */
export function presentCluster(
  cluster: Cluster,
  counts: ClusterCounts,
  include: readonly ClusterField[],
): AwsCluster {
  const { ec2, fargate, external, instanceCount } = counts;
  return {
    clusterArn: clusterArn(cluster, cluster.name),
    clusterName: cluster.name,
    status: cluster.status,
    registeredContainerInstancesCount: instanceCount,
    runningTasksCount: ec2.runningCount + fargate.runningCount + external.runningCount,
    pendingTasksCount: ec2.pendingCount + fargate.pendingCount + external.pendingCount,
    activeServicesCount: 0,
    statistics: include.includes("STATISTICS") ? statisticsOf(counts) : [],
    tags: include.includes("TAGS") ? [...cluster.tags] : [],
    settings: include.includes("SETTINGS")
      ? cluster.settings.map(({ name, value }) => ({ name: name as "containerInsights", value }))
      : [],
    capacityProviders: [...(cluster.capacityProviders ?? [])],
    defaultCapacityProviderStrategy: (cluster.defaultCapacityProviderStrategy ?? []).map(
      (item) => ({ ...item }),
    ),
    ...(include.includes("CONFIGURATIONS") &&
      cluster.configuration !== undefined && {
        configuration: cluster.configuration as ClusterConfiguration,
      }),
    ...(include.includes("ATTACHMENTS") && { attachments: [] }),
    ...(include.includes("ATTACHMENTS") &&
      cluster.capacityProviders !== undefined && { attachmentsStatus: "UPDATE_COMPLETE" }),
  };
}

/** ECS: in this order, as text. Services do not exist here yet, so there are none of them. */
function statisticsOf({ ec2, fargate, external }: ClusterCounts): KeyValuePair[] {
  return Object.entries({
    runningEC2TasksCount: ec2.runningCount,
    runningFargateTasksCount: fargate.runningCount,
    pendingEC2TasksCount: ec2.pendingCount,
    pendingFargateTasksCount: fargate.pendingCount,
    runningExternalTasksCount: external.runningCount,
    pendingExternalTasksCount: external.pendingCount,
    activeEC2ServiceCount: 0,
    activeFargateServiceCount: 0,
    drainingEC2ServiceCount: 0,
    drainingFargateServiceCount: 0,
    activeExternalServiceCount: 0,
    drainingExternalServiceCount: 0,
  }).map(([name, value]) => ({ name, value: String(value) }));
}

/** A revision; tags stand beside it in AWS's answers. */
export function presentTaskDefinition(definition: TaskDefinition): AwsTaskDefinition {
  const { family, revision, deregisteredAt, deleteRequestedAt } = definition;
  return {
    ...definition.document,
    taskDefinitionArn: taskDefinitionArn(definition, family, revision),
    revision,
    status: definition.status,
    registeredAt: new Date(definition.registeredAt),
    registeredBy: definition.registeredBy,
    ...(deregisteredAt !== undefined && { deregisteredAt: new Date(deregisteredAt) }),
    ...(deleteRequestedAt !== undefined && { deleteRequestedAt: new Date(deleteRequestedAt) }),
  };
}

/** `taken`: of its machine, by all tasks on it. `tasks`: its own. */
export function presentInstance(
  instance: Instance,
  taken: HostResources,
  tasks: readonly Task[],
  tags: readonly Tag[],
): AwsInstance {
  const { runningCount, pendingCount } = countTasks(tasks);
  return {
    containerInstanceArn: instanceArn(instance, instance.clusterName, instance.id),
    ec2InstanceId: instance.ec2InstanceId,
    versionInfo: { ...instance.versionInfo },
    remainingResources: resourceList(remainingOf(instance, taken)),
    registeredResources: resourceList(instance.registered),
    status: instance.status,
    agentConnected: instance.agentConnected,
    runningTasksCount: runningCount,
    pendingTasksCount: pendingCount,
    attributes: instance.attributes.map((attribute) => ({ ...attribute })),
    registeredAt: new Date(instance.registeredAt),
    attachments: [],
    tags: [...tags],
  };
}

/** ECS shows the members of every type, zero where they do not apply. */
function resourceList(resources: HostResources): Resource[] {
  const amount = (name: string, integerValue: number): Resource => ({
    name,
    type: "INTEGER",
    doubleValue: 0,
    longValue: 0,
    integerValue,
  });
  const strings = (name: string, values: readonly string[]): Resource => ({
    name,
    type: "STRINGSET",
    doubleValue: 0,
    longValue: 0,
    integerValue: 0,
    stringSetValue: [...values],
  });
  return [
    amount("CPU", resources.cpuUnits),
    amount("MEMORY", resources.memoryMiB),
    strings("PORTS", resources.ports.map(String)),
    strings("PORTS_UDP", resources.portsUdp.map(String)),
    ...(resources.gpus ? [strings("GPU", resources.gpus)] : []),
  ];
}

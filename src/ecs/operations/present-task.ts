import type {
  Attachment,
  Container as AwsContainer,
  Task as AwsTask,
  TaskOverride,
} from "@aws-sdk/client-ecs";
import { clusterArn, containerArn, instanceArn, taskArn, taskDefinitionArn } from "../model/arn.ts";
import type { Tag } from "../model/cluster.ts";
import { defined } from "../model/defined.ts";
import { attributeOf, type Instance } from "../model/instance.ts";
import type { Container, InterfaceAttachment, Task, TaskOverrides } from "../model/task.ts";
import { healthStatusOf } from "../model/task-health.ts";

/** A task in AWS's words. `instance`: where it runs, as far as it is still known; of FARGATE capacity users see the platform only. */
export function presentTask(
  task: Task,
  instance: Instance | undefined,
  tags: readonly Tag[],
): AwsTask {
  const { placement, launchType } = task;
  const architecture = instance && attributeOf(instance, "ecs.cpu-architecture");
  return {
    attachments: task.attachment ? [presentAttachment(task.attachment)] : [],
    attributes: architecture ? [{ name: "ecs.cpu-architecture", value: architecture }] : [],
    clusterArn: clusterArn(task, task.clusterName),
    containers: task.containers.map((container) => presentContainer(task, container)),
    cpu: task.cpu ?? String(task.reserved.cpuUnits),
    desiredStatus: task.desiredStatus,
    enableExecuteCommand: task.enableExecuteCommand,
    group: task.group,
    healthStatus: healthStatusOf(task),
    lastStatus: task.lastStatus,
    launchType,
    memory: task.memory ?? String(task.reserved.memoryMiB),
    overrides: presentOverrides(task),
    tags: [...tags],
    taskArn: taskArn(task, task.clusterName, task.id),
    taskDefinitionArn: taskDefinitionArn(task, task.family, task.revision),
    version: task.version,
    ...(launchType !== "FARGATE"
      ? {
          containerInstanceArn: instanceArn(
            placement.instance,
            placement.instance.clusterName,
            placement.instance.id,
          ),
        }
      : presentPlatform(task)),
    ...(task.connectivityAt !== undefined && {
      connectivity: instance?.agentConnected ? ("CONNECTED" as const) : ("DISCONNECTED" as const),
    }),
    ...defined({
      // Machines outside of EC2 may say nothing of a zone.
      availabilityZone: placement.availabilityZone || undefined,
      capacityProviderName: task.capacityProviderName,
      startedBy: task.startedBy,
      stopCode: task.stopCode,
      stoppedReason: task.stoppedReason,
    }),
    ...presentInstants(task),
  };
}

function presentPlatform(task: Task): Partial<AwsTask> {
  const storage = task.ephemeralStorageGiB;
  return {
    platformFamily: "Linux",
    ...defined({ platformVersion: task.platformVersion }),
    ...(storage !== undefined && {
      ephemeralStorage: { sizeInGiB: storage },
      fargateEphemeralStorage: { sizeInGiB: storage },
    }),
  };
}

const INSTANTS = [
  "connectivityAt",
  "createdAt",
  "executionStoppedAt",
  "pullStartedAt",
  "pullStoppedAt",
  "startedAt",
  "stoppedAt",
  "stoppingAt",
] as const satisfies readonly (keyof Task & keyof AwsTask)[];

function presentInstants(task: Task): Partial<AwsTask> {
  return Object.fromEntries(
    INSTANTS.flatMap((name) => {
      const at = task[name];
      return at === undefined ? [] : [[name, new Date(at)]];
    }),
  );
}

function presentAttachment(attachment: InterfaceAttachment): Attachment {
  const details: readonly (readonly [string, string | undefined])[] = [
    ["subnetId", attachment.subnetId],
    ["networkInterfaceId", attachment.networkInterfaceId],
    ["macAddress", attachment.macAddress],
    ["privateDnsName", attachment.privateDnsName],
    ["privateIPv4Address", attachment.privateIpv4Address],
  ];
  return {
    id: attachment.id,
    type: "ElasticNetworkInterface",
    status: attachment.status,
    details: details.flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }])),
  };
}

function presentContainer(task: Task, container: Container): AwsContainer {
  const { attachment } = task;
  const address = attachment?.privateIpv4Address;
  return {
    containerArn: containerArn(task, task.clusterName, task.id, container.uuid),
    taskArn: taskArn(task, task.clusterName, task.id),
    name: container.name,
    image: container.image,
    lastStatus: container.lastStatus,
    networkBindings:
      task.networkMode === "awsvpc"
        ? []
        : container.networkBindings.map((binding) => ({ ...binding })),
    networkInterfaces:
      attachment && address !== undefined
        ? [{ attachmentId: attachment.id, privateIpv4Address: address }]
        : [],
    healthStatus: container.healthStatus ?? "UNKNOWN",
    cpu: container.cpu,
    ...defined({
      imageDigest: container.imageDigest,
      runtimeId: container.runtimeId,
      exitCode: container.exitCode,
      reason: container.reason,
      memory: container.memory,
      memoryReservation: container.memoryReservation,
      gpuIds: container.gpuIds && [...container.gpuIds],
    }),
  };
}

/** ECS shows one entry for each container, even where nothing is overridden. */
function presentOverrides({ overrides, containers }: Task): TaskOverride {
  const { containerOverrides, ...rest }: TaskOverrides = overrides;
  return {
    containerOverrides: containers.map(({ name }) => {
      const override = containerOverrides.find((candidate) => candidate.name === name);
      const { command, environment, environmentFiles, resourceRequirements, ...sizes } =
        override ?? { name };
      return {
        ...sizes,
        ...(command && { command: [...command] }),
        ...(environment && { environment: environment.map((pair) => ({ ...pair })) }),
        ...(environmentFiles && {
          environmentFiles: environmentFiles.map((file) => ({ ...file })),
        }),
        ...(resourceRequirements && {
          resourceRequirements: resourceRequirements.map((one) => ({ ...one })),
        }),
      };
    }),
    inferenceAcceleratorOverrides: [],
    ...rest,
  };
}

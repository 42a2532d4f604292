import type { ContainerDefinition } from "@aws-sdk/client-ecs";
import type { Tag } from "./cluster.ts";
import { gpuCountsOf } from "./gpus.ts";
import { availabilityZoneOf, type HostResources, type Instance, isExternal } from "./instance.ts";
import type { Scope } from "./keys.ts";
import { resourcesOf } from "./resources.ts";
import { effectiveRoles } from "./role-names.ts";
import type { Container, LaunchType, Task, TaskOverrides } from "./task.ts";
import type { TaskDefinition } from "./task-definition.ts";

/** What was asked for: everything about a task but where it runs. */
export interface TaskSpec extends Scope {
  readonly clusterName: string;
  readonly definition: TaskDefinition;
  readonly launchType: LaunchType;
  readonly group: string;
  readonly startedBy?: string;
  readonly enableExecuteCommand: boolean;
  readonly tags: readonly Tag[];
  readonly overrides: TaskOverrides;
  /** FARGATE only. */
  readonly platformVersion?: string;
  readonly securityGroups: readonly string[];
}

/** What is new with each task. */
export interface TaskIdentity {
  /** 32 lowercase hex. */
  readonly id: string;
  readonly attachmentId: string;
  /** One for each container of the definition, in its order. */
  readonly containerUuids: readonly string[];
  /** Epoch milliseconds. */
  readonly createdAt: number;
  /** Where a strategy chose. */
  readonly capacityProviderName?: string | undefined;
}

/** ECS: GiB of disk that every FARGATE task has. */
const FARGATE_STORAGE_GIB = 20;

/** What a task of this spec takes of its machine. */
export function needsOf({ definition, overrides }: TaskSpec): HostResources {
  return resourcesOf(definition.document, overrides);
}

/**
 * A task as it begins: PROVISIONING where it waits for a network interface, PENDING where its agent may start at once.
 */
export function newTask(
  spec: TaskSpec,
  place: {
    readonly instance: Instance;
    readonly subnetId?: string;
    readonly gpuIds?: readonly string[];
  },
  identity: TaskIdentity,
): Task {
  const { document } = spec.definition;
  const networkMode = document.networkMode ?? "bridge";
  const { instance, subnetId, gpuIds = [] } = place;
  const containerGpus = shareOut(gpuIds, gpuCountsOf(document, spec.overrides));
  const { capacityProviderName } = identity;
  return {
    // What indexes read stands first: opening a store looks no further into a task that nobody asks for.
    lastStatus: networkMode === "awsvpc" ? "PROVISIONING" : "PENDING",
    placement: {
      instance: {
        accountId: instance.accountId,
        region: instance.region,
        clusterName: instance.clusterName,
        id: instance.id,
      },
      ec2InstanceId: instance.ec2InstanceId,
      availabilityZone: availabilityZoneOf(instance) ?? "",
      ...(subnetId !== undefined && { subnetId, securityGroups: spec.securityGroups }),
    },
    desiredStatus: "RUNNING",
    launchType: launchTypeOn(instance, spec.launchType),
    ...commonOf(spec),
    id: identity.id,
    ...(capacityProviderName !== undefined && { capacityProviderName }),
    networkMode,
    reserved: { ...needsOf(spec), ...(gpuIds.length > 0 && { gpus: gpuIds }) },
    version: 1,
    containers: (document.containerDefinitions ?? []).map((container, index) =>
      newContainer(container, spec.overrides, {
        uuid: identity.containerUuids[index] ?? "",
        gpuIds: containerGpus[index] ?? [],
      }),
    ),
    ...(subnetId !== undefined && {
      attachment: { id: identity.attachmentId, status: "PRECREATED" as const, subnetId },
    }),
    createdAt: identity.createdAt,
    // Without an interface of its own a task is as connected as its agent, which placement has seen to be.
    ...(networkMode !== "awsvpc" && { connectivityAt: identity.createdAt }),
  };
}

/** Tasks of EC2 also land on instances outside of EC2, and say then where they are. */
function launchTypeOn(instance: Instance, asked: LaunchType): LaunchType {
  return asked === "EC2" && isExternal(instance) ? "EXTERNAL" : asked;
}

/** What comes from the spec alone: overrides win over the definition. */
function commonOf(
  spec: TaskSpec,
): Omit<
  Task,
  | "id"
  | "launchType"
  | "capacityProviderName"
  | "networkMode"
  | "placement"
  | "reserved"
  | "desiredStatus"
  | "lastStatus"
  | "version"
  | "containers"
  | "createdAt"
> {
  const { overrides, launchType, startedBy, platformVersion } = spec;
  const { document, family, revision } = spec.definition;
  const cpu = overrides.cpu ?? document.cpu;
  const memory = overrides.memory ?? document.memory;
  const { taskRoleArn, executionRoleArn } = effectiveRoles(spec.accountId, document, overrides);
  const storage = overrides.ephemeralStorage ?? document.ephemeralStorage;
  return {
    accountId: spec.accountId,
    region: spec.region,
    clusterName: spec.clusterName,
    family,
    revision,
    group: spec.group,
    enableExecuteCommand: spec.enableExecuteCommand,
    tags: spec.tags,
    overrides,
    ...(startedBy !== undefined && { startedBy }),
    ...(cpu !== undefined && { cpu }),
    ...(memory !== undefined && { memory }),
    ...(platformVersion !== undefined && { platformVersion }),
    ...(launchType === "FARGATE" && {
      ephemeralStorageGiB: storage?.sizeInGiB ?? FARGATE_STORAGE_GIB,
    }),
    ...(taskRoleArn !== undefined && { taskRoleArn }),
    ...(executionRoleArn !== undefined && { executionRoleArn }),
  };
}

/** The next so many of `ids` for each count. */
function shareOut(
  ids: readonly string[],
  counts: readonly number[],
): readonly (readonly string[])[] {
  let from = 0;
  return counts.map((count) => {
    from += count;
    return ids.slice(from - count, from);
  });
}

function newContainer(
  definition: ContainerDefinition,
  overrides: TaskOverrides,
  { uuid, gpuIds }: { readonly uuid: string; readonly gpuIds: readonly string[] },
): Container {
  const name = definition.name ?? "";
  const override = overrides.containerOverrides.find((candidate) => candidate.name === name);
  const memory = override?.memory ?? definition.memory;
  const memoryReservation = override?.memoryReservation ?? definition.memoryReservation;
  return {
    name,
    uuid,
    image: definition.image ?? "",
    essential: definition.essential ?? true,
    lastStatus: "PENDING",
    networkBindings: [],
    cpu: String(override?.cpu ?? definition.cpu ?? 0),
    ...(memory !== undefined && { memory: String(memory) }),
    ...(memoryReservation !== undefined && { memoryReservation: String(memoryReservation) }),
    ...(gpuIds.length > 0 && { gpuIds }),
  };
}

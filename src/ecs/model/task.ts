import type { Tag } from "./cluster.ts";
import type { HostResources } from "./instance.ts";
import type { Scope } from "./keys.ts";
import { rankOf, type TaskStatus } from "./task-state.ts";

export type LaunchType = "EC2" | "FARGATE" | "EXTERNAL";
export type StopCode =
  | "TaskFailedToStart"
  | "EssentialContainerExited"
  | "UserInitiated"
  | "ServiceSchedulerInitiated"
  | "TerminationNotice";

export type HealthStatus = "HEALTHY" | "UNHEALTHY" | "UNKNOWN";

/** A task as it is stored. All instants are epoch milliseconds. */
export interface Task extends Scope {
  readonly clusterName: string;
  /** 32 lowercase hex. */
  readonly id: string;
  readonly family: string;
  readonly revision: number;
  /** The account and region of the definition are the task's. */
  readonly launchType: LaunchType;
  /** Where a strategy chose: the provider whose task this is. */
  readonly capacityProviderName?: string;
  readonly group: string;
  readonly startedBy?: string;
  readonly enableExecuteCommand: boolean;
  readonly tags: readonly Tag[];
  readonly overrides: TaskOverrides;
  /** Task-level size, overrides merged: CPU units and MiB as text, as the API shows them. */
  readonly cpu?: string;
  readonly memory?: string;
  readonly platformVersion?: string;
  readonly ephemeralStorageGiB?: number;
  readonly networkMode: "awsvpc" | "bridge" | "host" | "none";
  readonly taskRoleArn?: string;
  readonly executionRoleArn?: string;

  /** Where it runs. Written once by control/placement, never changed. */
  readonly placement: Placement;
  /** What it takes of its machine until it is STOPPED. */
  readonly reserved: HostResources;

  /** Written by requestStop() only, and never back to RUNNING. */
  readonly desiredStatus: "RUNNING" | "STOPPED";
  /** Written through advance() only. */
  readonly lastStatus: TaskStatus;
  /** Grows by one with each change that a user can see. */
  readonly version: number;
  readonly containers: readonly Container[];
  /** awsvpc: exactly one. Written by control/network-interfaces. */
  readonly attachment?: InterfaceAttachment;
  readonly stopCode?: StopCode;
  readonly stoppedReason?: string;
  /** ECS's scale-in protection. Written by operations/task-protection. In the past: it has expired. */
  readonly protectedUntil?: number;

  readonly createdAt: number;
  readonly connectivityAt?: number;
  readonly pullStartedAt?: number;
  readonly pullStoppedAt?: number;
  readonly startedAt?: number;
  readonly stoppingAt?: number;
  readonly executionStoppedAt?: number;
  readonly stoppedAt?: number;
  /** STOPPED in the books, and its machine has yet to confirm it: there is an {@link UnconfirmedStop}. */
  readonly isUnconfirmed?: true;
  /** When the machine of such a task has. */
  readonly confirmedAt?: number;
}

export interface Placement {
  /** The container instance, which for FARGATE belongs to the fleet account. */
  readonly instance: Scope & { readonly clusterName: string; readonly id: string };
  readonly ec2InstanceId: string;
  readonly availabilityZone: string;
  /** awsvpc: the subnet chosen from the caller's, in that zone. */
  readonly subnetId?: string;
  readonly securityGroups?: readonly string[];
}

export interface Container {
  readonly name: string;
  /** The last part of its ARN. */
  readonly uuid: string;
  readonly image: string;
  readonly imageDigest?: string;
  readonly runtimeId?: string;
  readonly essential: boolean;
  readonly lastStatus: "PENDING" | "RUNNING" | "STOPPED";
  readonly exitCode?: number;
  readonly reason?: string;
  /**
   * Of its health check; absent: not known. Written through withHealth() by control/task-health only, from the one telemetry
   * connection that its instance has, in the order in which the agent speaks there; never after the container has stopped.
   */
  readonly healthStatus?: HealthStatus;
  readonly networkBindings: readonly NetworkBinding[];
  /** As the API shows them: text, from the definition with overrides. */
  readonly cpu: string;
  readonly memory?: string;
  readonly memoryReservation?: string;
  /** Those of the machine's that it has for itself. */
  readonly gpuIds?: readonly string[];
}

export interface NetworkBinding {
  readonly bindIP?: string;
  readonly containerPort?: number;
  readonly hostPort?: number;
  readonly protocol?: "tcp" | "udp";
  /** `8000-8010`: several ports at once, and as many of the machine. */
  readonly containerPortRange?: string;
  readonly hostPortRange?: string;
}

/** The task's network interface, as its attachment shows it. */
export interface InterfaceAttachment {
  /** UUID. */
  readonly id: string;
  readonly status: "PRECREATED" | "ATTACHED" | "DELETED";
  readonly subnetId: string;
  readonly networkInterfaceId?: string;
  readonly macAddress?: string;
  readonly privateDnsName?: string;
  readonly privateIpv4Address?: string;
}

/** The caller's overrides, in the API's own shape. */
export interface TaskOverrides {
  readonly cpu?: string;
  readonly memory?: string;
  readonly taskRoleArn?: string;
  readonly executionRoleArn?: string;
  readonly ephemeralStorage?: { readonly sizeInGiB: number };
  readonly containerOverrides: readonly ContainerOverride[];
}

export interface ContainerOverride {
  readonly name: string;
  readonly command?: readonly string[];
  readonly environment?: readonly { readonly name: string; readonly value: string }[];
  readonly cpu?: number;
  readonly memory?: number;
  readonly memoryReservation?: number;
  /** In place of the definition's. */
  readonly environmentFiles?: readonly { readonly value: string; readonly type: "s3" }[];
  readonly resourceRequirements?: readonly ResourceRequirement[];
}

export interface ResourceRequirement {
  readonly type: "GPU" | "NeuronDevice";
  readonly value: string;
}

/**
 * A task that is STOPPED in the books because its machine has been silent for too long, and that may run there all the same.
 * Its interface and address stay taken, and nothing is placed on the machine, until the machine confirms the end.
 */
export interface UnconfirmedStop
  extends Pick<
    Task,
    "accountId" | "region" | "clusterName" | "id" | "family" | "revision" | "placement"
  > {
  readonly attachment?: InterfaceAttachment;
  /** Epoch milliseconds. */
  readonly lostAt: number;
}

/** What a clientToken of RunTask brought about. */
export interface RunToken {
  /** Hash of the request's parameters. */
  readonly requestHash: string;
  readonly taskIds: readonly string[];
  readonly failures: readonly { arn?: string; reason: string; detail?: string }[];
  readonly createdAt: number;
}

/** Whether an agent has said anything of a task: then it has it, whatever the server remembers of telling it. */
export function isReported({ containers, lastStatus }: Task): boolean {
  const isHeardOf = ({ imageDigest, lastStatus, runtimeId }: Container): boolean =>
    lastStatus !== "PENDING" || imageDigest !== undefined || runtimeId !== undefined;
  return rankOf(lastStatus) >= rankOf("RUNNING") || containers.some(isHeardOf);
}

/**
 * When a task's machine was done with it, but for its last output (epoch ms): of a task that was lost, when the machine was back and
 * had ended it. Infinite until then.
 */
export function doneAt({
  lastStatus,
  stoppedAt = 0,
  isUnconfirmed,
  confirmedAt = 0,
}: Task): number {
  const isDone = lastStatus === "STOPPED" && !isUnconfirmed;
  return isDone ? Math.max(stoppedAt, confirmedAt) : Number.POSITIVE_INFINITY;
}

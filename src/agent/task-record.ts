import type { PayloadContainer, PayloadTask } from "../protocol/acs.ts";
import type { ExitState } from "../runtime/runtime.ts";
import type { NetworkBinding } from "./network-bindings.ts";

/** A task as it is journalled: the payload without its credentials, which never reach a disk. */
export type AssignedTask = Omit<PayloadTask, "roleCredentials" | "executionRoleCredentials">;

/** What is wanted of a task and what is known of it. The journal keeps it; only its controller and Assignments write it. */
export interface TaskRecord {
  readonly task: AssignedTask;
  /** Written by Assignments, and never back to RUNNING. */
  readonly desiredStatus: "RUNNING" | "STOPPED";
  /** Under which its containers ask for the credentials of the task's role. Absent: it has no role. */
  readonly credentialsId?: string;
  /** Why the task as a whole cannot run, in ECS's words. Set once. */
  readonly failure?: string;
  /** In the payload's order. */
  readonly containers: readonly ContainerRecord[];
  /** When the first image was asked for at its registry, and when all had come or failed. Absent: none was. */
  readonly pullStartedAt?: number;
  readonly pullStoppedAt?: number;
  /** Directory of the disk that its containers and volumes share. Absent: it has none, or none yet. */
  readonly taskStorage?: string;
  /** When every container had left PENDING with none that mattered stopped. */
  readonly runningAt?: number;
  /** When every container had stopped, its output was flushed and the task's network was gone. Final. */
  readonly stoppedAt?: number;
}

/** What is known of one container. PENDING: its process was never seen. RUNNING: also between two runs. STOPPED is final. */
export interface ContainerRecord {
  readonly name: string;
  readonly status: "PENDING" | "RUNNING" | "STOPPED";
  readonly imageDigest?: string;
  /** On the node's bridge network, where the container has been given a place. */
  readonly address?: string;
  /** Likewise: its ports of the machine. */
  readonly networkBindings?: readonly NetworkBinding[];
  /** Paths that its image declares as volumes; absent: none. On record before it runs. */
  readonly imageVolumes?: readonly string[];
  /** Absent until the container is RUNNING. */
  readonly stopSignal?: string;
  readonly startedAt?: number;
  readonly stopSignalledAt?: number;
  readonly killedAt?: number;
  readonly stoppedAt?: number;
  readonly exitCode?: number;
  /** `<ErrorName>: <text>`, in ECS's words. */
  readonly reason?: string;
  /** Absent: the definition has no health check. */
  readonly health?: ContainerHealth;
  /** How its process ended that its restart policy will start again: on record before that is done. */
  readonly restartAfter?: ExitState | undefined;
  /** How often its restart policy has started it again; absent: never. */
  readonly restartCount?: number;
  /** The last time. */
  readonly restartedAt?: number;
}

/** What a container's health check has found. UNKNOWN until it has passed once or failed often enough. */
export interface ContainerHealth {
  readonly status: "HEALTHY" | "UNHEALTHY" | "UNKNOWN";
  /** When it became that: epoch milliseconds. */
  readonly since: number;
  /** Of the last check. */
  readonly output?: string;
  readonly exitCode?: number;
}

/** How far the server has been told, in acknowledged reports. Written by the reporter only. */
export interface ReportedState {
  readonly task: "NONE" | "PENDING" | "RUNNING" | "STOPPED";
  readonly containers: Readonly<Record<string, "PENDING" | "RUNNING" | "STOPPED">>;
}

export const NOTHING_REPORTED: ReportedState = { task: "NONE", containers: {} };

/** A fresh record of a task that shall run, with the id of its role's credentials. */
export function newRecord(task: AssignedTask, credentialsId?: string): TaskRecord {
  return {
    task,
    desiredStatus: task.desiredStatus,
    ...(credentialsId !== undefined && { credentialsId }),
    containers: task.containers.map(({ name }) => ({ name, status: "PENDING" })),
  };
}

/** The last part of a task's ARN. */
export function taskIdOf(taskArn: string): string {
  return taskArn.slice(taskArn.lastIndexOf("/") + 1);
}

/** ECS: a task that names no network mode is on the bridge. */
export function networkModeOf({
  networkMode,
}: AssignedTask): "awsvpc" | "bridge" | "host" | "none" {
  return networkMode ?? "bridge";
}

/** Whether the task is on capacity that nobody manages. */
export function isFargate({ launchType }: AssignedTask): boolean {
  return launchType === "FARGATE";
}

/** The payload's definition of a container that the record names. */
export function definitionOf(record: TaskRecord, name: string): PayloadContainer | undefined {
  return record.task.containers.find((container) => container.name === name);
}

/** The record with one container changed, and `runningAt` set when that made the whole task run. */
export function withContainer(
  record: TaskRecord,
  name: string,
  change: Partial<ContainerRecord>,
  now: number,
): TaskRecord {
  const containers = record.containers.map((container) =>
    container.name === name && container.status !== "STOPPED"
      ? { ...container, ...change }
      : container,
  );
  const changed = { ...record, containers };
  return record.runningAt === undefined && isRunning(changed)
    ? { ...changed, runningAt: now }
    : changed;
}

/** Whether the task is still meant to run: not told to stop, not failed, no essential container ended. */
export function shallRun(record: TaskRecord): boolean {
  return (
    record.desiredStatus === "RUNNING" &&
    record.failure === undefined &&
    record.stoppedAt === undefined &&
    record.containers.some(({ status }) => status !== "STOPPED") &&
    !essentialHasStopped(record)
  );
}

/** True when an essential container has ended. */
export function essentialHasStopped(record: TaskRecord): boolean {
  return record.containers.some(
    ({ name, status }) => status === "STOPPED" && definitionOf(record, name)?.essential !== false,
  );
}

function isRunning(record: TaskRecord): boolean {
  return (
    record.containers.some(({ status }) => status === "RUNNING") &&
    record.containers.every(({ status }) => status !== "PENDING") &&
    !essentialHasStopped(record)
  );
}

/** Which of the machine's agents a container belongs to. */
export const AGENT_LABEL = "gantry.agent";
/** The ARN of the task. */
export const TASK_LABEL = "gantry.task";
/** The container's name in the definition. */
export const CONTAINER_LABEL = "gantry.container";
/** What `adopt` needs of the image when the journal does not yet tell. */
export const DIGEST_LABEL = "gantry.image-digest";
export const STOP_SIGNAL_LABEL = "gantry.stop-signal";

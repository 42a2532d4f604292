import type { PayloadContainer, PayloadTask } from "../protocol/acs.ts";
import type { ContainerState, ExitState } from "../runtime/runtime.ts";
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
  /** When every container had left PENDING with none that mattered stopped. */
  readonly runningAt?: number;
  /** When every container had stopped, its output was flushed and the task's network was gone. Final. */
  readonly stoppedAt?: number;
}

/** What is known of one container. PENDING: its process was never seen. STOPPED is final. */
export interface ContainerRecord {
  readonly name: string;
  readonly status: "PENDING" | "RUNNING" | "STOPPED";
  readonly imageDigest?: string;
  /** On the node's bridge network, where the container has been given a place. */
  readonly address?: string;
  /** Likewise: its ports of the machine. */
  readonly networkBindings?: readonly NetworkBinding[];
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
  /** How often its restart policy has started it again; absent: never. */
  readonly restartCount?: number;
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
  readonly task: "NONE" | "RUNNING" | "STOPPED";
  readonly containers: Readonly<Record<string, "RUNNING" | "STOPPED">>;
}

export const NOTHING_REPORTED: ReportedState = { task: "NONE", containers: {} };

/** ECS: "Container killed due to memory usage". */
export const OUT_OF_MEMORY_REASON = "OutOfMemoryError: Container killed due to memory usage";
/** For a container of which the runtime knows nothing, or not how it ended. */
export const VANISHED_REASON =
  "ContainerVanishedError: the container's process is gone, and nothing tells how it ended";

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

/** What a container's record becomes when its process has ended. */
export function stoppedBy(exit: ExitState): Partial<ContainerRecord> {
  return {
    status: "STOPPED",
    exitCode: exit.exitCode,
    stoppedAt: exit.exitedAt,
    ...(exit.oomKilled && { reason: OUT_OF_MEMORY_REASON }),
  };
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

/**
 * The record after the agent was away: the runtime's word is the truth about processes. A container that ran and that the
 * runtime no longer runs or remembers (the machine was restarted) has vanished; one that never ran stays PENDING.
 */
export function adopt(
  record: TaskRecord,
  seen: ReadonlyMap<string, ContainerState>,
  now: number,
): TaskRecord {
  let adopted = record;
  for (const container of record.containers) {
    const change = adoptedChange(container, seen.get(container.name), now);
    if (change !== undefined) adopted = withContainer(adopted, container.name, change, now);
  }
  return adopted;
}

function adoptedChange(
  known: ContainerRecord,
  state: ContainerState | undefined,
  now: number,
): Partial<ContainerRecord> | undefined {
  if (known.status === "STOPPED") return undefined;
  if (state?.status === "stopped" && state.exit !== undefined) {
    return { startedAt: known.startedAt ?? state.exit.exitedAt, ...stoppedBy(state.exit) };
  }
  if (state?.status === "running") {
    return known.status === "RUNNING"
      ? undefined
      : {
          status: "RUNNING",
          startedAt: now,
          ...(state.labels[DIGEST_LABEL] && { imageDigest: state.labels[DIGEST_LABEL] }),
          stopSignal: state.labels[STOP_SIGNAL_LABEL] ?? "SIGTERM",
        };
  }
  if (known.status === "PENDING" && state?.status !== "stopped") return undefined;
  return { status: "STOPPED", stoppedAt: now, reason: VANISHED_REASON };
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

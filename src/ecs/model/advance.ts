import { assert } from "../../lib/errors.ts";
import { REASON_LENGTH_MAX, requestStop } from "./request-stop.ts";
import { deriveStop } from "./stop-reason.ts";
import type { Container, InterfaceAttachment, NetworkBinding, Task } from "./task.ts";
import { NEXT_TASK_STATUS, rankOf, type TaskEvent, type TaskStatus } from "./task-state.ts";

/** One thing that happened to a task, with what became known by it. */
export type TaskChange =
  | { readonly event: "interfaceAttached"; readonly attachment: InterfaceAttachment }
  | {
      readonly event: "agentPending" | "agentRunning" | "agentStopped";
      readonly report: TaskReport;
    }
  | { readonly event: "stopSent" | "abandoned" | "interfaceReleased" };

/** What an agent says about a task. Instants are epoch milliseconds. */
export interface TaskReport {
  readonly reason?: string;
  /** In order of occurrence: the same container may come twice. */
  readonly containers: readonly ContainerReport[];
  readonly pullStartedAt?: number;
  readonly pullStoppedAt?: number;
  readonly executionStoppedAt?: number;
}

export interface ContainerReport {
  readonly name: string;
  readonly status: Container["lastStatus"];
  readonly runtimeId?: string;
  readonly imageDigest?: string;
  readonly exitCode?: number;
  readonly reason?: string;
  readonly networkBindings?: readonly NetworkBinding[];
}

/**
 * The only way to change what is observed of a task. Its rank never falls and STOPPED is final; news that changes
 * nothing returns the same object, so "changed?" is `!==` and reports may be delivered any number of times.
 * Invariants T1–T9 of `docs/state-machines.md`.
 */
export function advance(task: Task, change: TaskChange, now: number): Task {
  if (task.lastStatus === "STOPPED") return task;
  assert(
    change.event !== "abandoned" || task.desiredStatus === "STOPPED",
    `task ${task.id} is abandoned though wanted`,
  );
  const told = "report" in change ? withReport(task, change.report) : task;
  const entered = enter(told, change, now);
  const hasNothingToRelease =
    entered.lastStatus === "DEPROVISIONING" && entered.attachment === undefined;
  const next = withStop(
    hasNothingToRelease ? enter(entered, { event: "interfaceReleased" }, now) : entered,
    change,
    now,
  );
  if (next === task) return task;
  assert(rankOf(next.lastStatus) >= rankOf(task.lastStatus), `task ${task.id} went back`);
  assert(
    rankOf(next.lastStatus) < rankOf("DEPROVISIONING") || next.stopCode !== undefined,
    `task ${task.id} ends without a stop code`,
  );
  return { ...next, version: task.version + 1 };
}

/** Takes the step of the table, with the fields that the new state brings. */
function enter(task: Task, change: TaskChange, now: number): Task {
  const status = nextStatus(task.lastStatus, change.event);
  if (status === "ignored") return task;
  switch (status) {
    case "PENDING":
      assert(change.event === "interfaceAttached", `${change.event} cannot make a task PENDING`);
      return { ...task, lastStatus: status, attachment: change.attachment, connectivityAt: now };
    case "RUNNING":
      return { ...task, lastStatus: status, startedAt: now };
    case "DEPROVISIONING":
      return { ...task, lastStatus: status, containers: task.containers.map(stopped) };
    case "STOPPED":
      return {
        ...endedAt(task, now),
        ...(task.attachment && { attachment: { ...task.attachment, status: "DELETED" } }),
      };
    default:
      return { ...task, lastStatus: status };
  }
}

/** With what indexes read at its beginning, as in a new task. */
function endedAt(task: Task, now: number): Task {
  const { lastStatus: _, ...rest } = task;
  return { stoppedAt: now, lastStatus: "STOPPED", ...rest };
}

function nextStatus(status: TaskStatus, event: TaskEvent): TaskStatus | "ignored" {
  return NEXT_TASK_STATUS[status][event];
}

/** A task that lost an essential container, or all of them, is to end whoever wanted it to run. */
function withStop(task: Task, change: TaskChange, now: number): Task {
  if (task.desiredStatus === "STOPPED") return task;
  const ends =
    rankOf(task.lastStatus) >= rankOf("DEPROVISIONING") ||
    task.containers.some((container) => container.essential && container.lastStatus === "STOPPED");
  if (!ends) return task;
  const { stopCode, reason } = deriveStop({
    hasRun: task.startedAt !== undefined,
    containers: task.containers,
    agentReason: "report" in change ? (change.report.reason ?? "") : "",
  });
  return requestStop(task, { stopCode, reason, now });
}

function withReport(task: Task, report: TaskReport): Task {
  // Before it is PENDING no agent knows of the task: such a report is about something else.
  if (task.lastStatus === "PROVISIONING") return task;
  const containers = task.containers.map((container) =>
    report.containers
      .filter(({ name }) => name === container.name)
      .reduce(withContainerReport, container),
  );
  const instants = {
    ...firstOf(task, report, "pullStartedAt"),
    ...firstOf(task, report, "pullStoppedAt"),
    ...firstOf(task, report, "executionStoppedAt"),
  };
  // Records are JSON documents, and every step above keeps the order of their members: equal text is equal news.
  const isOld = JSON.stringify(containers) === JSON.stringify(task.containers);
  if (isOld && Object.keys(instants).length === 0) return task;
  return { ...task, ...instants, containers };
}

type ReportedInstant = "pullStartedAt" | "pullStoppedAt" | "executionStoppedAt";

/** The reported instant where the task has none yet. */
function firstOf(
  task: Task,
  report: TaskReport,
  field: ReportedInstant,
): { [K in ReportedInstant]?: number } {
  const at = report[field];
  return task[field] === undefined && at !== undefined ? { [field]: at } : {};
}

const CONTAINER_RANK: Readonly<Record<Container["lastStatus"], number>> = {
  PENDING: 0,
  RUNNING: 1,
  STOPPED: 2,
};

/** Older news is dropped; of a stopped container only what was not known yet is taken. */
function withContainerReport(container: Container, report: ContainerReport): Container {
  if (CONTAINER_RANK[report.status] < CONTAINER_RANK[container.lastStatus]) return container;
  const { runtimeId, imageDigest, exitCode, networkBindings } = report;
  const known = {
    ...(runtimeId !== undefined && { runtimeId }),
    ...(imageDigest !== undefined && { imageDigest }),
    ...(exitCode !== undefined && { exitCode }),
    ...(report.reason && { reason: report.reason.slice(0, REASON_LENGTH_MAX) }),
    ...(networkBindings !== undefined && networkBindings.length > 0 && { networkBindings }),
  };
  if (container.lastStatus !== "STOPPED") {
    return { ...container, ...known, lastStatus: report.status };
  }
  const bindings = [container.networkBindings, known.networkBindings].find((list) => list?.length);
  return { ...container, ...known, ...container, networkBindings: bindings ?? [] };
}

function stopped(container: Container): Container {
  return container.lastStatus === "STOPPED" ? container : { ...container, lastStatus: "STOPPED" };
}

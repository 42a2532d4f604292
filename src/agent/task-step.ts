import { type Dependency, dependenciesOf } from "./dependencies.ts";
import { healthCheckOf } from "./health-check.ts";
import { needsHolder } from "./shared-namespaces.ts";
import { type ContainerRecord, definitionOf, shallRun, type TaskRecord } from "./task-record.ts";

/** ECS: seconds from the stop signal to SIGKILL when the definition says nothing. */
const STOP_TIMEOUT_SECONDS_DEFAULT = 30;
/** Chosen: what a clock is corrected by in passing is less. */
const CLOCK_BACK_MS_MIN = 60_000;
/** Chosen: a process that outlives SIGKILL (stuck in the kernel) is sent it again this often. */
const KILL_AGAIN_MS = 10_000;
/** ECS agent: what a container gets that waits for a dependency which can no longer be met. */
const DEPENDENCY_EXIT_CODE = 143;

/** What has been made ready since this agent started. Not journalled: every step is safe to do again. */
export interface TaskProgress {
  readonly networkUp: boolean;
  readonly namespacesUp: boolean;
  readonly imagesUp: boolean;
  readonly logsUp: boolean;
  /** Names of stopped containers that the runtime has forgotten. */
  readonly removed: ReadonlySet<string>;
  readonly logsFlushed: boolean;
  readonly namespacesDown: boolean;
  readonly networkDown: boolean;
  readonly logsDown: boolean;
  readonly filesDown: boolean;
}

export const NO_PROGRESS: TaskProgress = {
  networkUp: false,
  namespacesUp: false,
  imagesUp: false,
  logsUp: false,
  removed: new Set(),
  logsFlushed: false,
  namespacesDown: false,
  networkDown: false,
  logsDown: false,
  filesDown: false,
};

/** One thing to do for a task. `wait`: nothing, until the record changes or the time comes. */
export type Step =
  | { readonly kind: "networkUp" | "namespacesUp" | "imagesUp" | "logsUp" }
  | { readonly kind: "containerUp" | "restart"; readonly name: string }
  /** The container will never run. */
  | { readonly kind: "skip"; readonly name: string; readonly exitCode?: number; reason?: string }
  /** `ended`: the container has, and will not be started again as it was meant to. */
  | { readonly kind: "stop" | "kill" | "ended" | "containerDown"; readonly name: string }
  | { readonly kind: "logsFlush" | "namespacesDown" | "networkDown" | "stopped" }
  | { readonly kind: "logsDown" | "filesDown" }
  | { readonly kind: "wait"; readonly untilAt: number }
  | { readonly kind: "done" };

/**
 * The next thing to do for a task, from what is wanted, what is known and the time. Pure and total: it is asked again after
 * each step, and after a crash it goes on from whatever the record and the runtime still know.
 */
export function nextStep(record: TaskRecord, progress: TaskProgress, now: number): Step {
  const step = shallRun(record) ? stepUp(record, progress, now) : stepDown(record, progress, now);
  return step.kind === "wait" ? (stepRemove(record, progress) ?? step) : step;
}

function stepUp(record: TaskRecord, progress: TaskProgress, now: number): Step {
  const pending = record.containers.filter(({ status }) => status === "PENDING");
  const ended = record.containers.find(isBetweenRuns);
  if (pending.length === 0 && ended === undefined) {
    return { kind: "wait", untilAt: Number.POSITIVE_INFINITY };
  }
  if (!progress.networkUp) return { kind: "networkUp" };
  if (needsHolder(record.task) && !progress.namespacesUp) return { kind: "namespacesUp" };
  if (ended !== undefined) return { kind: "restart", name: ended.name };
  if (!progress.imagesUp) return { kind: "imagesUp" };
  if (!progress.logsUp) return { kind: "logsUp" };
  let untilAt = Number.POSITIVE_INFINITY;
  for (const { name } of pending) {
    const gate = dependencyGate(record, name, now);
    if (gate.kind === "open") return { kind: "containerUp", name };
    if (gate.kind === "closed") {
      return { kind: "skip", name, exitCode: DEPENDENCY_EXIT_CODE, reason: gate.reason };
    }
    untilAt = Math.min(untilAt, gate.untilAt);
  }
  return { kind: "wait", untilAt };
}

/** Its restart policy has yet to start it again. */
function isBetweenRuns({ status, restartAfter }: ContainerRecord): boolean {
  return status === "RUNNING" && restartAfter !== undefined;
}

function stepDown(record: TaskRecord, progress: TaskProgress, now: number): Step {
  const never = record.containers.find(({ status }) => status === "PENDING");
  if (never !== undefined) return { kind: "skip", name: never.name };
  const ended = record.containers.find(isBetweenRuns);
  if (ended !== undefined) return { kind: "ended", name: ended.name };
  const running = record.containers.filter(({ status }) => status === "RUNNING");
  if (running.length > 0) return stepStop(record, running, now);
  const remove = stepRemove(record, progress);
  if (remove !== undefined) return remove;
  if (!progress.logsFlushed) return { kind: "logsFlush" };
  if (needsHolder(record.task) && !progress.namespacesDown) return { kind: "namespacesDown" };
  if (!progress.networkDown) return { kind: "networkDown" };
  if (record.stoppedAt === undefined) return { kind: "stopped" };
  if (!progress.logsDown) return { kind: "logsDown" };
  if (!progress.filesDown) return { kind: "filesDown" };
  return { kind: "done" };
}

function stepRemove(record: TaskRecord, progress: TaskProgress): Step | undefined {
  const ended = record.containers.find(
    ({ name, status }) => status === "STOPPED" && !progress.removed.has(name),
  );
  return ended && { kind: "containerDown", name: ended.name };
}

/** ECS: a container is stopped only after those that depend on it. */
function stepStop(record: TaskRecord, running: readonly ContainerRecord[], now: number): Step {
  let untilAt = Number.POSITIVE_INFINITY;
  for (const container of running) {
    const { name } = container;
    if (running.some((other) => dependsOn(record, other.name, name))) continue;
    if (isToSignal(container, now)) return { kind: "stop", name };
    const { killedAt, stopSignalledAt = now } = container;
    const killAt =
      killedAt === undefined || killedAt > now
        ? stopSignalledAt + stopTimeoutMs(record, name)
        : killedAt + KILL_AGAIN_MS;
    if (now >= killAt) return { kind: "kill", name };
    untilAt = Math.min(untilAt, killAt);
  }
  return { kind: "wait", untilAt };
}

/** Not yet, or by a clock that has been set back since: nobody knows how long ago. */
function isToSignal({ stopSignalledAt }: ContainerRecord, now: number): boolean {
  return stopSignalledAt === undefined || stopSignalledAt - now > CLOCK_BACK_MS_MIN;
}

function stopTimeoutMs(record: TaskRecord, name: string): number {
  return (definitionOf(record, name)?.stopTimeout ?? STOP_TIMEOUT_SECONDS_DEFAULT) * 1000;
}

function dependsOn(record: TaskRecord, name: string, on: string): boolean {
  const definition = definitionOf(record, name);
  return (
    definition !== undefined &&
    dependenciesOf(definition).some(({ containerName }) => containerName === on)
  );
}

type Gate =
  | { readonly kind: "open" }
  | { readonly kind: "waiting"; readonly untilAt: number }
  | { readonly kind: "closed"; readonly reason: string };

/** Whether a container's `dependsOn` lets it start now, later, or never. */
function dependencyGate(record: TaskRecord, name: string, now: number): Gate {
  const definition = definitionOf(record, name);
  let untilAt: number | undefined;
  for (const { containerName, condition } of definition ? dependenciesOf(definition) : []) {
    const dependency = record.containers.find((container) => container.name === containerName);
    if (dependency === undefined || isMet(dependency, condition)) continue;
    const never = whyNever(record, dependency, condition);
    if (never !== undefined) {
      return { kind: "closed", reason: dependencyReason(containerName, name, never) };
    }
    const timeoutAt = startTimeoutAt(record, dependency, condition);
    if (now >= timeoutAt) {
      const late = `timed out before condition ${condition}`;
      return { kind: "closed", reason: dependencyReason(containerName, name, late) };
    }
    untilAt = Math.min(untilAt ?? Number.POSITIVE_INFINITY, timeoutAt);
  }
  return untilAt === undefined ? { kind: "open" } : { kind: "waiting", untilAt };
}

/** ECS agent: its name for what never starts for want of a dependency. */
function dependencyReason(dependency: string, container: string, fault: string): string {
  return `CannotStartContainerError: dependency ${dependency} of container ${container} ${fault}`;
}

function isMet(dependency: ContainerRecord, condition: Dependency["condition"]): boolean {
  switch (condition) {
    case "START":
      // ECS agent: whatever has ended, however, is past its start.
      return dependency.startedAt !== undefined || dependency.status === "STOPPED";
    case "CREATE":
      return dependency.startedAt !== undefined;
    case "COMPLETE":
      return dependency.status === "STOPPED" && dependency.startedAt !== undefined;
    case "SUCCESS":
      return dependency.status === "STOPPED" && dependency.exitCode === 0;
    case "HEALTHY":
      return dependency.status === "RUNNING" && dependency.health?.status === "HEALTHY";
  }
}

/** Why a condition that is not met can never be, as far as that is known. ECS: an unhealthy container may recover. */
function whyNever(
  record: TaskRecord,
  dependency: ContainerRecord,
  condition: Dependency["condition"],
): string | undefined {
  if (dependency.status === "STOPPED") {
    return condition === "CREATE" ? "never ran" : `stopped without condition ${condition}`;
  }
  if (condition !== "HEALTHY") return undefined;
  const definition = definitionOf(record, dependency.name);
  return healthCheckOf(definition) === undefined
    ? "has no health check to become HEALTHY by"
    : undefined;
}

/** ECS: a dependency's `startTimeout` counts from its start, for what comes after that. */
function startTimeoutAt(
  record: TaskRecord,
  dependency: ContainerRecord,
  condition: Dependency["condition"],
): number {
  const seconds = definitionOf(record, dependency.name)?.startTimeout;
  if (
    condition === "START" ||
    condition === "CREATE" ||
    seconds === undefined ||
    dependency.startedAt === undefined
  ) {
    return Number.POSITIVE_INFINITY;
  }
  return dependency.startedAt + seconds * 1000;
}

import type { Container, StopCode } from "./task.ts";

/** What made a task end by itself. */
export interface StopCause {
  readonly stopCode: StopCode;
  readonly reason: string;
}

/** What is known when a task ends without having been asked to. */
export interface StopEvidence {
  /** The task had been RUNNING. */
  readonly hasRun: boolean;
  readonly containers: readonly Container[];
  /** The agent's reason for the task as a whole: almost always empty, even when a pull failed. */
  readonly agentReason: string;
}

/** The one container reason that speaks of a process that did run. */
const OUT_OF_MEMORY = "OutOfMemoryError";
/** AWS's agent runs what its machine has of an image that it cannot pull, and tells of both. */
const CANNOT_PULL = "CannotPull";

/**
 * Says why a task stopped by itself: the agent reports containers, exit codes and their reasons, ECS shows a code and
 * a sentence (`ecs-behaviour` §3.3). A task that had been RUNNING ends with its essential container; one that never
 * was failed to start, for the reason of the container that could not.
 */
export function deriveStop(evidence: StopEvidence): StopCause {
  const essential = evidence.containers.filter((container) => container.essential);
  if (evidence.hasRun) return ESSENTIAL_CONTAINER_EXITED;
  const reason =
    evidence.agentReason || essential.find(failedToStart)?.reason || othersReason(evidence);
  if (reason) return { stopCode: "TaskFailedToStart", reason };
  if (essential.some((container) => container.exitCode !== undefined)) {
    return ESSENTIAL_CONTAINER_EXITED;
  }
  return { stopCode: "TaskFailedToStart", reason: "Task failed to start" };
}

const ESSENTIAL_CONTAINER_EXITED: StopCause = {
  stopCode: "EssentialContainerExited",
  reason: "Essential container in task exited",
};

function failedToStart({ exitCode, reason }: Container): boolean {
  if (!reason || reason.startsWith(OUT_OF_MEMORY)) return false;
  return exitCode === undefined || !reason.startsWith(CANNOT_PULL);
}

function othersReason({ containers }: StopEvidence): string | undefined {
  return containers.find(failedToStart)?.reason;
}

/** ECS's sentence for a role that it was given and cannot act in. */
export function roleFault(roleArn: string): string {
  return (
    `ECS was unable to assume the role '${roleArn}' that was provided for this task. ` +
    "Please verify that the role being passed has the proper trust relationship and permissions " +
    "and that your IAM user has permissions to pass this role."
  );
}

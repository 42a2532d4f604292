import type { StopCode, Task } from "./task.ts";

/** Who or what ends a task, as Describe shows it. */
export interface StopRequest {
  readonly stopCode: StopCode;
  readonly reason: string;
  /** Epoch milliseconds. */
  readonly now: number;
}

/** ECS: reasons of tasks and containers hold at most 1024 characters. */
export const REASON_LENGTH_MAX = 1024;

/**
 * Asks that a task end. It changes what is wanted, never `lastStatus`: the loops make it true. The first request wins,
 * so that a task stopped by its user does not end up blamed on the exit that the stop itself caused. Returns the same
 * object when the task is stopped or stopping already.
 */
export function requestStop(task: Task, stop: StopRequest): Task {
  if (task.desiredStatus === "STOPPED") return task;
  return {
    ...task,
    desiredStatus: "STOPPED",
    stopCode: stop.stopCode,
    stoppedReason: stop.reason.slice(0, REASON_LENGTH_MAX),
    stoppingAt: stop.now,
    version: task.version + 1,
  };
}

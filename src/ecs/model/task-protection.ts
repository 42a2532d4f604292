import type { Task } from "./task.ts";

/** ECS: two hours when the caller says nothing; from a minute to two days. */
const MINUTES_DEFAULT = 120;
const MINUTES_MIN = 1;
const MINUTES_MAX = 2_880;
const MINUTE_MS = 60_000;
/** ECS: how the group of a service's task begins. */
const SERVICE_GROUP = "service:";

/** What a caller asks for. */
export interface ProtectionRequest {
  readonly enabled: boolean;
  readonly expiresInMinutes: number | undefined;
}

/** What is wrong with a request, in words that name the value; undefined when nothing is. */
export function findProtectionViolation({
  expiresInMinutes: minutes,
}: ProtectionRequest): string | undefined {
  if (minutes === undefined || (minutes >= MINUTES_MIN && minutes <= MINUTES_MAX)) return undefined;
  return `expiresInMinutes must be between ${MINUTES_MIN} and ${MINUTES_MAX}, not ${minutes}`;
}

/** Why a task cannot be protected; undefined when it can. ECS: only running tasks of services can. */
export function whyNotProtectable(task: Task): string | undefined {
  if (!task.group.startsWith(SERVICE_GROUP)) return "the task is not part of a service";
  if (task.desiredStatus === "STOPPED") return "the task is stopping or has stopped";
  return undefined;
}

/** The task with its protection begun anew, or ended. */
export function withProtection(task: Task, request: ProtectionRequest, now: number): Task {
  if (request.enabled) {
    const minutes = request.expiresInMinutes ?? MINUTES_DEFAULT;
    return { ...task, protectedUntil: now + minutes * MINUTE_MS };
  }
  if (task.protectedUntil === undefined) return task;
  const { protectedUntil: _ended, ...rest } = task;
  return rest;
}

/** Until when nothing but its own end may stop the task in favour of another; undefined when it is not protected. */
export function protectionEnd(task: Task, now: number): number | undefined {
  const { desiredStatus, protectedUntil } = task;
  return desiredStatus === "RUNNING" && protectedUntil !== undefined && protectedUntil > now
    ? protectedUntil
    : undefined;
}

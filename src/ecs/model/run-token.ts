import type { RunToken, Task } from "./task.ts";

const HOUR_MS = 3_600_000;
/** ECS: a client token is remembered for a day at most … */
const TOKEN_AGE_MS_MAX = 24 * HOUR_MS;
/** … and no longer than an hour after the last of its tasks has stopped. */
const TOKEN_MS_AFTER_TASKS = HOUR_MS;

/** Whether a client token still stands for what it brought about. `tasks`: those of it that are still recorded. */
export function isTokenValid(token: RunToken, tasks: readonly Task[], now: number): boolean {
  return now < tokenExpiresAt(token, tasks, now);
}

/** When a client token ends if its tasks that live at `now` stop at once: epoch milliseconds. */
export function tokenExpiresAt(token: RunToken, tasks: readonly Task[], now: number): number {
  const lastLifeAt = Math.max(
    token.createdAt,
    ...tasks.map(({ lastStatus, stoppedAt }) =>
      lastStatus === "STOPPED" ? (stoppedAt ?? token.createdAt) : now,
    ),
  );
  return Math.min(token.createdAt + TOKEN_AGE_MS_MAX, lastLifeAt + TOKEN_MS_AFTER_TASKS);
}

/** What the API calls a valid name. Clusters, families, containers, volumes: 1–255 of letters, digits, `_` and `-`. */
export function isName(text: string): boolean {
  return /^[A-Za-z0-9_-]{1,255}$/.test(text);
}

/** ECS: RunTask takes up to 128 characters of letters, digits, `-`, `_` and `/`. */
export function isStartedBy(text: string): boolean {
  return /^[A-Za-z0-9_/-]{1,128}$/.test(text);
}

/** ECS: a client token of RunTask has up to 64 printable ASCII characters. */
export function isClientToken(text: string): boolean {
  return /^[\x21-\x7e]{1,64}$/.test(text);
}

/** The cluster of calls that name none. */
export const DEFAULT_CLUSTER = "default";

/** The service that a task's roles have to trust, and to which they are passed. */
export const TASKS_SERVICE = "ecs-tasks.amazonaws.com";

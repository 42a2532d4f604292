/** A container's health check, by Docker's rules: when it is due, what a result means. Pure. */
import type { PayloadContainer } from "../protocol/acs.ts";
import { decodeDockerSettings } from "./docker-settings.ts";
import type { ContainerHealth } from "./task-record.ts";

/** A check that is to be made. */
export interface HealthCheck {
  readonly args: readonly string[];
  /** From the start of the container, and from the end of one check, to the next. */
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** While the container starts, failures do not count for so long. */
  readonly startPeriodMs: number;
  /** Failures in a row that make a container unhealthy. */
  readonly retries: number;
}

/** Docker's, for what the definition leaves open or 0. */
const INTERVAL_MS_DEFAULT = 30_000;
const TIMEOUT_MS_DEFAULT = 30_000;
const RETRIES_DEFAULT = 3;
const SHELL = ["/bin/sh", "-c"];
/** Docker's, for a check that could not be made or was not answered in time. */
const NO_EXIT_CODE = -1;
/** The ECS agent keeps as much. */
const OUTPUT_LENGTH_MAX = 1024;
const MS_NANOSECONDS = 1_000_000;

/** The check of a container's definition; undefined when it has none, or turns its image's off. */
export function healthCheckOf(definition: PayloadContainer | undefined): HealthCheck | undefined {
  const { Healthcheck: check } = decodeDockerSettings(definition?.dockerConfig).config;
  const args = argsOf(check?.Test ?? []);
  if (definition?.healthCheckType !== "docker" || check === undefined || args === undefined) {
    return undefined;
  }
  return {
    args,
    intervalMs: (check.Interval ?? 0) / MS_NANOSECONDS || INTERVAL_MS_DEFAULT,
    timeoutMs: (check.Timeout ?? 0) / MS_NANOSECONDS || TIMEOUT_MS_DEFAULT,
    startPeriodMs: (check.StartPeriod ?? 0) / MS_NANOSECONDS,
    retries: check.Retries || RETRIES_DEFAULT,
  };
}

function argsOf([kind, ...rest]: readonly string[]): readonly string[] | undefined {
  if (rest.length === 0) return undefined;
  if (kind === "CMD") return rest;
  return kind === "CMD-SHELL" ? [...SHELL, rest.join(" ")] : undefined;
}

/** What a container's record says of its health when it starts, and when it starts again. */
export function healthAtStart(
  definition: PayloadContainer | undefined,
  now: number,
): { readonly health?: ContainerHealth } {
  return healthCheckOf(definition) === undefined
    ? {}
    : { health: { status: "UNKNOWN", since: now } };
}

/** How one check went. */
export type CheckResult =
  | { readonly exitCode: number; readonly output: string }
  | "timedOut"
  /** It could not be made: why. */
  | { readonly error: string };

/** What is known after a number of checks. */
export interface HealthProgress {
  readonly health: ContainerHealth;
  /** Failures in a row that count. */
  readonly failures: number;
}

/**
 * What is known after one more check. Docker: the first success ends the start period; only then, or when the period is
 * over, failures count; a container that was healthy stays so until enough of them have come in a row.
 */
export function afterCheck(
  { health, failures }: HealthProgress,
  check: HealthCheck,
  result: CheckResult,
  at: { readonly startedAt: number; readonly now: number },
): HealthProgress {
  const { exitCode, output } = describe(result, check);
  const counts = health.status !== "UNKNOWN" || at.now - at.startedAt >= check.startPeriodMs;
  const failed = exitCode === 0 ? 0 : failures + (counts ? 1 : 0);
  const status = statusAfter(health.status, exitCode === 0, failed >= check.retries);
  const since = status === health.status ? health.since : at.now;
  return { health: { status, since, output, exitCode }, failures: failed };
}

function statusAfter(
  before: ContainerHealth["status"],
  passed: boolean,
  hasFailed: boolean,
): ContainerHealth["status"] {
  if (passed) return "HEALTHY";
  return hasFailed ? "UNHEALTHY" : before;
}

function describe(
  result: CheckResult,
  { timeoutMs }: HealthCheck,
): { readonly exitCode: number; readonly output: string } {
  if (result === "timedOut") {
    const output = `Health check exceeded timeout (${timeoutMs / 1000}s)`;
    return { exitCode: NO_EXIT_CODE, output };
  }
  if ("error" in result) return { exitCode: NO_EXIT_CODE, output: shorten(result.error) };
  return { exitCode: result.exitCode, output: shorten(result.output) };
}

function shorten(text: string): string {
  return text.slice(0, OUTPUT_LENGTH_MAX);
}

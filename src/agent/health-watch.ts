import type { Clock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import { type Runtime, RuntimeError } from "../runtime/runtime.ts";
import { containerIdOf } from "./container-spec.ts";
import {
  afterCheck,
  type CheckResult,
  type HealthCheck,
  type HealthProgress,
  healthCheckOf,
} from "./health-check.ts";
import type { TaskEntry } from "./task-entry.ts";
import { type ContainerHealth, definitionOf, withContainer } from "./task-record.ts";

export interface HealthWatchDeps {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/**
 * Checks a running container's health until `signal` aborts, and writes it down. Never does anything about it: ECS leaves
 * that to the scheduler. Returns at once when the definition has no check.
 */
export async function watchHealth(
  deps: HealthWatchDeps,
  entry: TaskEntry,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log, random } = deps;
  const check = healthCheckOf(definitionOf(entry.record, name));
  const container = entry.record.containers.find((candidate) => candidate.name === name);
  if (check === undefined || container === undefined) return;
  const startedAt = container.restartedAt ?? container.startedAt ?? clock.now();
  const health = container.health ?? { status: "UNKNOWN", since: startedAt };
  let progress: HealthProgress = { health, failures: 0 };
  const firstInMs = startedAt + check.intervalMs - clock.now();
  // Of many containers that an agent takes up at once, each has its own time.
  const isDue = firstInMs <= 0 || firstInMs > check.intervalMs;
  let waitMs = isDue ? random.next() * check.intervalMs : firstInMs;
  for (;;) {
    await clock.sleep(waitMs, signal);
    if (signal.aborted) return;
    const result = await checkOnce(deps, containerIdOf(entry.arn, name), check, signal);
    if (signal.aborted) return;
    if (result !== undefined) {
      progress = afterCheck(progress, check, result, { startedAt, now: clock.now() });
      try {
        writeDown(entry, name, progress.health, clock.now());
      } catch (error) {
        // The next check tries again.
        log.warn("cannot write down health yet", { container: name, error: messageOf(error) });
      }
    }
    waitMs = check.intervalMs;
  }
}

/** Undefined when the engine is away: that tells nothing of the container. */
async function checkOnce(
  { runtime, log }: HealthWatchDeps,
  id: string,
  { args, timeoutMs }: HealthCheck,
  signal: AbortSignal,
): Promise<CheckResult | undefined> {
  try {
    return await runtime.exec(id, { args, timeoutMs }, signal);
  } catch (error) {
    if (error instanceof RuntimeError) return { error: error.message };
    if (!signal.aborted) log.warn("cannot check health", { id, error: messageOf(error) });
    return undefined;
  }
}

/** A new status is durable; the last check's output may be lost in a crash. */
function writeDown(entry: TaskEntry, name: string, health: ContainerHealth, now: number): void {
  const before = entry.record.containers.find((container) => container.name === name)?.health;
  const change = (record: TaskEntry["record"]): TaskEntry["record"] =>
    withContainer(record, name, { health }, now);
  if (before?.status !== health.status) entry.update(change);
  else if (before.exitCode !== health.exitCode || before.output !== health.output) {
    entry.note(change);
  }
}

/** What becomes of a container whose process has ended: stopped for good, or started again by its restart policy. Pure. */
import type { PayloadContainer, RestartPolicy } from "../protocol/acs.ts";
import type { ExitState } from "../runtime/runtime.ts";
import { healthAtStart } from "./health-check.ts";
import { type ContainerRecord, definitionOf, shallRun, type TaskRecord } from "./task-record.ts";

/** ECS: "Container killed due to memory usage". */
export const OUT_OF_MEMORY_REASON = "OutOfMemoryError: Container killed due to memory usage";
/** ECS: how long a container must have run to be started again, when its policy does not say. */
const RESTART_ATTEMPT_SECONDS_DEFAULT = 300;

/** What a container's record becomes when its process has ended and shall not run again. */
export function stoppedBy(exit: ExitState): Partial<ContainerRecord> {
  return {
    status: "STOPPED",
    exitCode: exit.exitCode,
    stoppedAt: exit.exitedAt,
    restartAfter: undefined,
    ...(exit.oomKilled && { reason: OUT_OF_MEMORY_REASON }),
  };
}

/** What a container's record becomes when its process has ended. */
export function endedBy(
  record: TaskRecord,
  container: ContainerRecord,
  exit: ExitState,
): Partial<ContainerRecord> {
  return mayRestart(record, container, exit) ? { restartAfter: exit } : stoppedBy(exit);
}

/** What a container's record becomes when it runs again. */
export function restarted(
  record: TaskRecord,
  container: ContainerRecord,
  now: number,
): Partial<ContainerRecord> {
  return {
    restartAfter: undefined,
    restartCount: (container.restartCount ?? 0) + 1,
    restartedAt: now,
    ...healthAtStart(definitionOf(record, container.name), now),
  };
}

/** A container's restart policy; undefined where it has none, or one that is off. */
export function restartPolicyOf(
  definition: PayloadContainer | undefined,
): RestartPolicy | undefined {
  return definition?.restartPolicy?.enabled === true ? definition.restartPolicy : undefined;
}

/** ECS: a policy is on, the task shall run, the exit code is not one to ignore, and this run has lasted long enough. */
function mayRestart(record: TaskRecord, container: ContainerRecord, exit: ExitState): boolean {
  const policy = restartPolicyOf(definitionOf(record, container.name));
  if (policy === undefined || !shallRun(record)) return false;
  if (policy.ignoredExitCodes?.includes(exit.exitCode)) return false;
  const runSince = container.restartedAt ?? container.startedAt ?? exit.exitedAt;
  const seconds = policy.restartAttemptPeriod ?? RESTART_ATTEMPT_SECONDS_DEFAULT;
  return exit.exitedAt - runSince >= seconds * 1000;
}

import type { ContainerState } from "../runtime/runtime.ts";
import { endedBy, restarted } from "./container-end.ts";
import { healthAtStart } from "./health-check.ts";
import {
  type ContainerRecord,
  DIGEST_LABEL,
  definitionOf,
  STOP_SIGNAL_LABEL,
  type TaskRecord,
  withContainer,
} from "./task-record.ts";

/** For a container of which the runtime knows nothing, or not how it ended. */
export const VANISHED_REASON =
  "ContainerVanishedError: the container's process is gone, and nothing tells how it ended";

/**
 * The record after the agent was away: the runtime's word is the truth about processes. A container that ran and that the
 * runtime no longer runs or remembers (the machine was restarted) has vanished; one that never ran stays PENDING, and one
 * that was about to be started again is still.
 */
export function adopt(
  record: TaskRecord,
  seen: ReadonlyMap<string, ContainerState>,
  now: number,
): TaskRecord {
  return record.containers.reduce(
    (adopted, { name }) => adoptOne(adopted, name, seen.get(name), now),
    record,
  );
}

/** The same for one container. */
export function adoptOne(
  record: TaskRecord,
  name: string,
  state: ContainerState | undefined,
  now: number,
): TaskRecord {
  const container = record.containers.find((candidate) => candidate.name === name);
  const change = container && adoptedChange(record, container, state, now);
  return change === undefined ? record : withContainer(record, name, change, now);
}

function adoptedChange(
  record: TaskRecord,
  known: ContainerRecord,
  state: ContainerState | undefined,
  now: number,
): Partial<ContainerRecord> | undefined {
  if (known.status === "STOPPED") return undefined;
  if (known.restartAfter !== undefined) return betweenRuns(record, known, state, now);
  if (state?.status === "stopped" && state.exit !== undefined) {
    const startedAt = known.startedAt ?? state.exit.exitedAt;
    return { startedAt, ...endedBy(record, { ...known, startedAt }, state.exit) };
  }
  if (state?.status === "running") {
    return known.status === "RUNNING"
      ? undefined
      : {
          status: "RUNNING",
          startedAt: now,
          ...(state.labels[DIGEST_LABEL] && { imageDigest: state.labels[DIGEST_LABEL] }),
          stopSignal: state.labels[STOP_SIGNAL_LABEL] ?? "SIGTERM",
          ...healthAtStart(definitionOf(record, known.name), now),
        };
  }
  if (known.status === "PENDING" && state?.status !== "stopped") return undefined;
  return { status: "STOPPED", stoppedAt: now, reason: VANISHED_REASON };
}

/** The process may have been started again, and have ended again, without anybody to write it down. */
function betweenRuns(
  record: TaskRecord,
  known: ContainerRecord,
  state: ContainerState | undefined,
  now: number,
): Partial<ContainerRecord> | undefined {
  if (state === undefined) {
    return { status: "STOPPED", stoppedAt: now, reason: VANISHED_REASON, restartAfter: undefined };
  }
  if (state.status === "running") return restarted(record, known, now);
  const exit = state.status === "stopped" ? state.exit : undefined;
  const { restartAfter } = known;
  if (exit === undefined || restartAfter === undefined) return undefined;
  const isSame = exit.exitedAt === restartAfter.exitedAt && exit.exitCode === restartAfter.exitCode;
  if (isSame) return undefined;
  const again = restarted(record, known, restartAfter.exitedAt);
  return { ...again, ...endedBy(record, { ...known, ...again }, exit) };
}

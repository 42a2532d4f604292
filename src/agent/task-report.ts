import { containerIdOf } from "./container-spec.ts";
import type { NetworkBinding } from "./network-bindings.ts";
import {
  type ContainerRecord,
  definitionOf,
  type ReportedState,
  type TaskRecord,
} from "./task-record.ts";

/** ECS: reasons have at most this many characters. */
const REASON_LENGTH_MAX = 1024;

/** A SubmitTaskStateChange, without the cluster. */
export interface TaskStateChange {
  readonly task: string;
  readonly status: "PENDING" | "RUNNING" | "STOPPED";
  readonly reason: string;
  readonly containers: readonly ContainerStateChange[];
  /** Epoch seconds, like the next two. */
  readonly pullStartedAt?: number;
  readonly pullStoppedAt?: number;
  readonly executionStoppedAt?: number;
}

export interface ContainerStateChange {
  readonly containerName: string;
  readonly runtimeId?: string;
  /** PENDING: its image's digest is known. */
  readonly status: "PENDING" | "RUNNING" | "STOPPED";
  readonly imageDigest?: string;
  readonly exitCode?: number;
  readonly reason?: string;
  readonly networkBindings?: readonly NetworkBinding[];
}

/** What the server has yet to be told of a task, and what it then knows. */
export interface TaskReport {
  readonly change: TaskStateChange;
  readonly reported: ReportedState;
}

/**
 * The next report of a task; undefined when the server knows all. A task that ran is reported RUNNING before it is reported
 * STOPPED, however short its life was. News of containers alone go with the task's last status.
 */
export function nextReport(record: TaskRecord, reported: ReportedState): TaskReport | undefined {
  const status = nextStatus(record, reported);
  if (status === "NONE" || reported.task === "STOPPED") return undefined;
  const containers = record.containers.flatMap((container) =>
    containerNews(record, container, status, reported.containers[container.name]),
  );
  if (containers.length === 0 && status === reported.task) return undefined;
  return {
    change: {
      task: record.task.arn,
      status,
      reason: (status === "STOPPED" ? (record.failure ?? "") : "").slice(0, REASON_LENGTH_MAX),
      containers,
      ...(record.pullStartedAt !== undefined && { pullStartedAt: record.pullStartedAt / 1000 }),
      ...(record.pullStoppedAt !== undefined && { pullStoppedAt: record.pullStoppedAt / 1000 }),
      ...(status === "STOPPED" && { executionStoppedAt: executionStoppedAt(record) / 1000 }),
    },
    reported: {
      task: status,
      containers: {
        ...reported.containers,
        ...Object.fromEntries(containers.map((news) => [news.containerName, news.status])),
      },
    },
  };
}

function nextStatus(record: TaskRecord, { task }: ReportedState): ReportedState["task"] {
  const hasNotRun = task === "NONE" || task === "PENDING";
  if (hasNotRun && record.runningAt !== undefined) return "RUNNING";
  if (record.stoppedAt !== undefined) return "STOPPED";
  return task === "NONE" && isResolved(record) ? "PENDING" : task;
}

/** ECS agent: a task whose images come out of registries is reported once when all their digests are known, before the pull. */
function isResolved({ containers, pullStartedAt }: TaskRecord): boolean {
  return (
    pullStartedAt !== undefined &&
    containers.every(({ imageDigest, status }) => status === "PENDING" && imageDigest !== undefined)
  );
}

/** In the order it happened: the server applies a container that appears twice in sequence. */
function containerNews(
  record: TaskRecord,
  container: ContainerRecord,
  status: ReportedState["task"],
  told: "PENDING" | "RUNNING" | "STOPPED" | undefined,
): readonly ContainerStateChange[] {
  const { name, exitCode, reason, imageDigest, networkBindings } = container;
  const base = {
    containerName: name,
    ...(container.startedAt !== undefined && { runtimeId: containerIdOf(record.task.arn, name) }),
    ...(imageDigest !== undefined && { imageDigest }),
    ...(networkBindings?.length && { networkBindings }),
  };
  const news: ContainerStateChange[] = [];
  if (status === "PENDING" && container.status === "PENDING" && told === undefined) {
    return [{ ...base, status: "PENDING" }];
  }
  if (container.startedAt !== undefined && (told === undefined || told === "PENDING")) {
    news.push({ ...base, status: "RUNNING" });
  }
  if (container.status === "STOPPED" && told !== "STOPPED") {
    news.push({
      ...base,
      status: "STOPPED",
      ...(exitCode !== undefined && { exitCode }),
      ...(reason !== undefined && { reason: reason.slice(0, REASON_LENGTH_MAX) }),
    });
  }
  return news;
}

/** ECS: when the task's first essential container stopped. Epoch milliseconds; infinite before that. */
export function executionStoppedAt(record: TaskRecord): number {
  const ends = record.containers
    .filter(({ name }) => definitionOf(record, name)?.essential !== false)
    .map(({ stoppedAt }) => stoppedAt ?? Number.POSITIVE_INFINITY);
  return Math.min(record.stoppedAt ?? Number.POSITIVE_INFINITY, ...ends);
}

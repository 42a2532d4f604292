/** What an agent publishes of its tasks: metrics, health and its own state, in messages of the protocol's size. Pure. */
import type {
  ContainerMetrics,
  InstanceStatus,
  TaskHealth,
  TaskMetrics,
  TelemetryMessage,
} from "../../protocol/tcs.ts";
import { TASKS_PER_MESSAGE_MAX, TELEMETRY_MESSAGE_BYTES_MAX } from "../../protocol/tcs.ts";
import { restartPolicyOf } from "../container-end.ts";
import { containerIdOf } from "../container-spec.ts";
import { definitionOf, networkModeOf, type TaskRecord } from "../task-record.ts";
import type { Usage } from "./usage.ts";

/** Who publishes, and when. */
export interface Publisher {
  /** As the agent is configured: name or ARN. */
  readonly cluster: string;
  readonly containerInstance: string;
  readonly messageId: string;
  /** Epoch milliseconds. */
  readonly now: number;
}

/** For the members of a message around its tasks. */
const ENVELOPE_BYTES = 4_096;

/** Metrics of all tasks; a machine without tasks says that it is idle. None while nothing has been measured yet. */
export function metricsMessages(
  publisher: Publisher,
  records: readonly TaskRecord[],
  usageOf: (containerId: string, sharers: number) => Usage | undefined,
  restartsOf: (containerId: string, restartCount: number) => number,
): readonly TelemetryMessage[] {
  const running = records.filter(hasRunning);
  const { cluster, containerInstance, messageId, now } = publisher;
  const envelope = { cluster, containerInstance, messageId };
  const timestamp = now / 1000;
  if (running.length === 0) {
    const metadata = { ...envelope, idle: true, fin: true };
    return [{ type: "PublishMetricsRequest", message: { metadata, timestamp } }];
  }
  const tasks = running.flatMap((record) => taskMetrics(record, usageOf, restartsOf));
  const parts = partsOf(tasks);
  return parts.map((taskMetrics, index) => ({
    type: "PublishMetricsRequest",
    message: {
      metadata: { ...envelope, idle: false, fin: index === parts.length - 1 },
      timestamp,
      taskMetrics,
    },
  }));
}

/** The health of every container that runs and has a check. No message where there is none. */
export function healthMessages(
  publisher: Publisher,
  records: readonly TaskRecord[],
): readonly TelemetryMessage[] {
  const { cluster, containerInstance, messageId, now } = publisher;
  const parts = partsOf(records.flatMap(taskHealth));
  return parts.map((tasks, index) => ({
    type: "PublishHealthRequest",
    message: {
      metadata: { cluster, containerInstance, messageId, fin: index === parts.length - 1 },
      timestamp: now / 1000,
      tasks,
    },
  }));
}

/** The state of the machine's engine. */
export function instanceStatusMessage(
  { cluster, containerInstance, messageId, now }: Publisher,
  statuses: readonly InstanceStatus[],
): TelemetryMessage {
  const metadata = { cluster, containerInstance, requestId: messageId };
  return {
    type: "PublishInstanceStatusRequest",
    message: { metadata, timestamp: now / 1000, statuses },
  };
}

function taskMetrics(
  record: TaskRecord,
  usageOf: (containerId: string, sharers: number) => Usage | undefined,
  restartsOf: (containerId: string, restartCount: number) => number,
): readonly TaskMetrics[] {
  const { task } = record;
  const running = record.containers.filter(({ status }) => status === "RUNNING");
  const sharers = networkModeOf(task) === "bridge" ? 1 : running.length;
  const containerMetrics = running.flatMap(({ name, restartCount }): ContainerMetrics[] => {
    const id = containerIdOf(task.arn, name);
    const usage = usageOf(id, sharers);
    if (usage === undefined) return [];
    const definition = definitionOf(record, name);
    return [
      {
        containerName: name,
        ...(definition?.containerArn !== undefined && { containerArn: definition.containerArn }),
        ...usage,
        ...(restartPolicyOf(definition) !== undefined && {
          restartStatsSet: { restartCount: restartsOf(id, restartCount ?? 0) },
        }),
      },
    ];
  });
  return containerMetrics.length === 0 ? [] : [{ ...identityOf(record), containerMetrics }];
}

function taskHealth(record: TaskRecord): readonly TaskHealth[] {
  const containers = record.containers.flatMap(({ name, status, health }) =>
    status !== "RUNNING" || health === undefined
      ? []
      : [
          {
            containerName: name,
            healthStatus: health.status,
            statusSince: health.since / 1000,
            ...(health.output && { statusMessage: health.output }),
          },
        ],
  );
  return containers.length === 0 ? [] : [{ ...identityOf(record), containers }];
}

function identityOf({ task }: TaskRecord): Omit<TaskMetrics, "containerMetrics"> {
  return {
    taskArn: task.arn,
    clusterArn: task.taskClusterArn,
    taskDefinitionFamily: task.family,
    taskDefinitionVersion: task.version,
  };
}

function hasRunning({ containers }: TaskRecord): boolean {
  return containers.some(({ status }) => status === "RUNNING");
}

/** Cuts a list into pieces that fit into one message each. What does not fit into any by itself is left out. */
function partsOf<T>(tasks: readonly T[]): readonly (readonly T[])[] {
  const parts: T[][] = [];
  let part: T[] = [];
  let bytes = ENVELOPE_BYTES;
  for (const task of tasks) {
    const taskBytes = Buffer.byteLength(JSON.stringify(task)) + 1;
    if (ENVELOPE_BYTES + taskBytes > TELEMETRY_MESSAGE_BYTES_MAX) continue;
    if (
      part.length > 0 &&
      (part.length >= TASKS_PER_MESSAGE_MAX || bytes + taskBytes > TELEMETRY_MESSAGE_BYTES_MAX)
    ) {
      parts.push(part);
      part = [];
      bytes = ENVELOPE_BYTES;
    }
    part.push(task);
    bytes += taskBytes;
  }
  return part.length > 0 ? [...parts, part] : parts;
}

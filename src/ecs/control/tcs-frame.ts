import {
  bodyOfFrame,
  type PublishHealthRequest,
  type PublishInstanceStatusRequest,
  type PublishMetricsRequest,
  type TelemetryMessage,
} from "../../protocol/tcs.ts";

/** What a frame of an agent says, or what is wrong with it. */
export type ParsedFrame =
  | { readonly message: TelemetryMessage }
  /** Nothing that is known: ignored, as the agent does with what it does not know. */
  | { readonly unknown: string }
  | { readonly wrong: string };

/** Reads a frame as far as it is relied on. Agents are machines of users: what they send may be anything. */
export function parseFrame(frame: string): ParsedFrame {
  let document: unknown;
  try {
    document = JSON.parse(bodyOfFrame(frame));
  } catch {
    return { wrong: "the frame has no JSON" };
  }
  const { type, message } = isObject(document) ? document : {};
  if (typeof type !== "string" || !isObject(message)) {
    return { wrong: "the frame has no type and message" };
  }
  switch (type) {
    case "PublishMetricsRequest":
      return checked(type, message, metricsFault(message));
    case "PublishHealthRequest":
      return checked(type, message, healthFault(message));
    case "PublishInstanceStatusRequest":
      return checked(type, message, statusFault(message));
    default:
      return { unknown: type };
  }
}

function checked(
  type: TelemetryMessage["type"],
  message: object,
  fault: string | undefined,
): ParsedFrame {
  const isIdentified = isObject((message as { metadata?: unknown }).metadata);
  if (!isIdentified) return { wrong: `${type} has no metadata` };
  if (fault !== undefined) return { wrong: `${type}: ${fault}` };
  return { message: { type, message } as TelemetryMessage };
}

function metricsFault(message: Partial<PublishMetricsRequest>): string | undefined {
  const tasks = message.taskMetrics ?? [];
  if (!isList(tasks)) return "taskMetrics is not a list";
  const isRead = tasks.every(
    (task) =>
      isObject(task) &&
      typeof task.taskArn === "string" &&
      isList(task.containerMetrics) &&
      task.containerMetrics.every(isContainerMetrics),
  );
  return isRead ? undefined : "a task has no ARN, or a container no name or wrong numbers";
}

function isContainerMetrics(metrics: unknown): boolean {
  if (!isObject(metrics) || typeof metrics.containerName !== "string") return false;
  const sets = [metrics.cpuStatsSet, metrics.memoryStatsSet];
  const grouped = [metrics.networkStatsSet, metrics.storageStatsSet]
    .filter(isPresent)
    .flatMap((group) => (isObject(group) ? Object.values(group) : [0]));
  return [...sets, ...grouped].filter(isPresent).every(isStatsSet);
}

function isStatsSet(set: unknown): boolean {
  if (!isObject(set)) return false;
  return [set.min, set.max, set.sampleCount, set.sum].every(Number.isFinite);
}

function healthFault(message: Partial<PublishHealthRequest>): string | undefined {
  const { tasks } = message;
  const isRead =
    isList(tasks) &&
    tasks.every(
      (task) =>
        isObject(task) &&
        typeof task.taskArn === "string" &&
        isList(task.containers) &&
        task.containers.every(
          (container) =>
            isObject(container) &&
            typeof container.containerName === "string" &&
            ["HEALTHY", "UNHEALTHY", "UNKNOWN"].includes(String(container.healthStatus)),
        ),
    );
  return isRead ? undefined : "a task has no ARN, or a container no name or health";
}

function statusFault(message: Partial<PublishInstanceStatusRequest>): string | undefined {
  const { statuses } = message;
  const isRead =
    isList(statuses) &&
    statuses.every(
      (status) =>
        isObject(status) &&
        typeof status.type === "string" &&
        ["OK", "IMPAIRED", "INSUFFICIENT_DATA", "INITIALIZING"].includes(String(status.status)) &&
        [status.lastUpdated, status.lastStatusChange].every(Number.isFinite),
    );
  return isRead ? undefined : "a status has no type, state or times";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/**
 * The ECS agent protocol on the TCS websocket (telemetry): message shapes exactly as the published agent writes and reads them.
 * Source: aws/amazon-ecs-agent 1.105 (facts only). The agent's frames are not JSON: see {@link bodyOfFrame}.
 */

/** Agent → server. */
export type TelemetryMessage =
  | { readonly type: "PublishMetricsRequest"; readonly message: PublishMetricsRequest }
  | { readonly type: "PublishHealthRequest"; readonly message: PublishHealthRequest }
  | {
      readonly type: "PublishInstanceStatusRequest";
      readonly message: PublishInstanceStatusRequest;
    };

/** The agent: of one message. */
export const TASKS_PER_MESSAGE_MAX = 10;
/** The agent: of one message's JSON. */
export const TELEMETRY_MESSAGE_BYTES_MAX = 1_048_576;

export interface TelemetryMetadata {
  /** The agent's configured cluster, name or ARN. */
  readonly cluster: string;
  readonly containerInstance: string;
  readonly messageId: string;
  /** The last message of what is published at one time. */
  readonly fin: boolean;
}

export interface PublishMetricsRequest {
  /** `idle`: no task runs. */
  readonly metadata: TelemetryMetadata & { readonly idle: boolean };
  /** Epoch seconds. */
  readonly timestamp: number;
  /** Absent when idle. */
  readonly taskMetrics?: readonly TaskMetrics[];
}

export interface TaskMetrics {
  readonly taskArn: string;
  readonly clusterArn?: string;
  readonly taskDefinitionFamily: string;
  readonly taskDefinitionVersion: string;
  readonly containerMetrics: readonly ContainerMetrics[];
}

/** What was measured of one container since the last message. */
export interface ContainerMetrics {
  readonly containerName: string;
  readonly containerArn?: string;
  /** Percent of the whole machine: all cores are 100. */
  readonly cpuStatsSet?: StatsSet;
  /** MiB, without the page cache. */
  readonly memoryStatsSet?: StatsSet;
  /** Counters since the container's start; `max` is the latest. */
  readonly networkStatsSet?: NetworkStatsSet;
  readonly storageStatsSet?: {
    readonly readSizeBytes?: CounterStatsSet;
    readonly writeSizeBytes?: CounterStatsSet;
  };
  /** Restarts by its restart policy since the last message. */
  readonly restartStatsSet?: { readonly restartCount: number };
}

export interface StatsSet {
  readonly min: number;
  readonly max: number;
  readonly sampleCount: number;
  readonly sum: number;
}

/** The overflows carry what a signed 64-bit number cannot. */
export interface CounterStatsSet extends StatsSet {
  readonly overflowMin?: number;
  readonly overflowMax?: number;
  readonly overflowSum?: number;
}

export interface NetworkStatsSet {
  readonly rxBytes?: CounterStatsSet;
  readonly rxDropped?: CounterStatsSet;
  readonly rxErrors?: CounterStatsSet;
  readonly rxPackets?: CounterStatsSet;
  readonly txBytes?: CounterStatsSet;
  readonly txDropped?: CounterStatsSet;
  readonly txErrors?: CounterStatsSet;
  readonly txPackets?: CounterStatsSet;
  readonly rxBytesPerSecond?: StatsSet;
  readonly txBytesPerSecond?: StatsSet;
}

export interface PublishHealthRequest {
  readonly metadata: TelemetryMetadata;
  /** Epoch seconds. */
  readonly timestamp: number;
  readonly tasks: readonly TaskHealth[];
}

/** Only of containers that have a health check. */
export interface TaskHealth {
  readonly taskArn: string;
  readonly clusterArn?: string;
  readonly taskDefinitionFamily: string;
  readonly taskDefinitionVersion: string;
  readonly containers: readonly ContainerHealth[];
}

export interface ContainerHealth {
  readonly containerName: string;
  readonly healthStatus: "HEALTHY" | "UNHEALTHY" | "UNKNOWN";
  /** Epoch seconds. */
  readonly statusSince: number;
  readonly statusMessage?: string;
}

export interface PublishInstanceStatusRequest {
  readonly metadata: {
    readonly cluster: string;
    readonly containerInstance: string;
    readonly requestId: string;
  };
  /** Epoch seconds. */
  readonly timestamp: number;
  readonly statuses: readonly InstanceStatus[];
}

export interface InstanceStatus {
  readonly type: "ContainerRuntime" | "Agent" | "EBSDaemon" | "ACCELERATED_COMPUTE";
  readonly status: "OK" | "IMPAIRED" | "INSUFFICIENT_DATA" | "INITIALIZING";
  readonly statusReason?: string;
  /** Epoch seconds, like the next. */
  readonly lastUpdated: number;
  readonly lastStatusChange: number;
}

const BLOCK_END = "\r\n\r\n";

/** A frame as the agent sends it: the headers of a signed request, an empty line, the JSON. */
export function formatFrame(headers: Readonly<Record<string, string>>, body: string): string {
  const lines = FRAME_HEADERS.flatMap((name) => {
    const value = headers[name.toLowerCase()];
    return value === undefined ? [] : [`${name}: ${value}`];
  });
  return lines.join("\r\n") + BLOCK_END + body;
}

const FRAME_HEADERS = ["Authorization", "Host", "X-Amz-Date", "X-Amz-Security-Token"];

/** The JSON of an agent's frame; a frame may also be nothing but that. */
export function bodyOfFrame(frame: string): string {
  if (frame.startsWith("{")) return frame;
  const end = frame.indexOf(BLOCK_END);
  return end < 0 ? "" : frame.slice(end + BLOCK_END.length);
}

/**
 * The task and container documents of the metadata endpoints: members, their order and what is left out are the ECS agent's
 * (`ecs-agent-protocol` §5.6). Pure.
 */
import { createHash } from "node:crypto";
import type { TaskStorageUsage } from "../../runtime/task-storage.ts";
import { restartPolicyOf } from "../container-end.ts";
import { containerIdOf } from "../container-spec.ts";
import { decodeDockerSettings } from "../docker-settings.ts";
import { ecsLabels, shownCluster } from "../ecs-labels.ts";
import {
  type ContainerRecord,
  definitionOf,
  isFargate,
  shallRun,
  type TaskRecord,
} from "../task-record.ts";
import { executionStoppedAt } from "../task-report.ts";
import { volumeMounts } from "../volumes.ts";
import type { EndpointTask } from "./hub.ts";
import { networksOf, portsOf } from "./network-document.ts";
import { timestamp } from "./timestamp.ts";

/** Of the endpoint: each later one shows more. */
export type MetadataVersion = 2 | 3 | 4;

/** ECS: 0 and 1 share mean 2, the kernel's least. */
const CPU_SHARES_MIN = 2;

/** What `…WithTags` adds: tags, and which of them could not be had. */
export interface TagDocuments {
  readonly TaskTags?: Readonly<Record<string, string>>;
  readonly ContainerInstanceTags?: Readonly<Record<string, string>>;
  readonly Errors?: readonly object[];
}

/** What is not in a task's record. */
export interface TaskNews extends TagDocuments {
  /** How full its own disk is. */
  readonly storage?: TaskStorageUsage | undefined;
}

/** A task with its containers. */
export function taskDocument(
  task: EndpointTask,
  version: MetadataVersion,
  news: TaskNews = {},
): object {
  const { record } = task;
  const assigned = record.task;
  const { cpu, memory } = assigned;
  return {
    Cluster: shownCluster(assigned, task.agent.config.cluster),
    TaskARN: assigned.arn,
    Family: assigned.family,
    Revision: assigned.version,
    DesiredStatus: shallRun(record) ? "RUNNING" : "STOPPED",
    KnownStatus: knownStatusOf(record),
    Limits: cpu || memory ? { CPU: cpu || undefined, Memory: memory || undefined } : undefined,
    PullStartedAt: timestamp(record.pullStartedAt),
    PullStoppedAt: timestamp(record.pullStoppedAt),
    ExecutionStoppedAt: timestamp(executionStoppedAt(record)),
    AvailabilityZone: task.agent.config.availabilityZone || undefined,
    TaskTags: news.TaskTags,
    ContainerInstanceTags: news.ContainerInstanceTags,
    LaunchType: version === 4 ? assigned.launchType : undefined,
    Containers: record.containers.map((container) => containerOf(task, container, version)),
    ...(version === 4 && {
      // AWS: of a task on EC2, whatever its own network is.
      VPCID: isFargate(assigned) ? undefined : task.agent.vpcId(),
      ServiceName: assigned.serviceName || undefined,
      Group: assigned.group || undefined,
      EphemeralStorageMetrics: storageMetrics(news.storage),
      FaultInjectionEnabled: false,
      Errors: news.Errors,
    }),
  };
}

/** One container of a task. Undefined when the task has none of that name. */
export function containerDocument(
  task: EndpointTask,
  name: string,
  version: MetadataVersion,
): object | undefined {
  const container = task.record.containers.find((candidate) => candidate.name === name);
  return container && containerOf(task, container, version);
}

/** The name of the container with this runtime id. */
export function containerNamed(record: TaskRecord, dockerId: string): string | undefined {
  return record.containers.find(({ name }) => containerIdOf(record.task.arn, name) === dockerId)
    ?.name;
}

/**
 * A container's name as the ECS agent gives it to Docker: tools read family, revision and container out of it. On FARGATE there is
 * no Docker, and the name is the container's own.
 */
export function dockerNameOf({ task }: TaskRecord, name: string): string {
  if (isFargate(task)) return name;
  const plain = name.replace(/[^A-Za-z0-9-]+/g, "");
  const suffix = createHash("sha256").update(`${task.arn}/${name}`).digest("hex").slice(0, 20);
  return `ecs-${task.family}-${task.version}-${plain}-${suffix}`;
}

function containerOf(
  task: EndpointTask,
  container: ContainerRecord,
  version: MetadataVersion,
): object {
  const { record } = task;
  const { name, status, exitCode, imageDigest, startedAt, stoppedAt } = container;
  const definition = definitionOf(record, name);
  const { config, hostConfig } = decodeDockerSettings(definition?.dockerConfig);
  const { LogConfig } = hostConfig;
  const labels = {
    ...config.Labels,
    ...ecsLabels(record.task, name, task.agent.config.cluster),
  };
  return {
    DockerId: containerIdOf(record.task.arn, name),
    Name: name,
    DockerName: dockerNameOf(record, name),
    Image: definition?.image ?? "",
    ImageID: imageDigest ?? "",
    Ports: portsOf(record, container, version),
    Labels: sorted(labels),
    DesiredStatus: status !== "STOPPED" && shallRun(record) ? "RUNNING" : "STOPPED",
    KnownStatus: status === "PENDING" ? pendingStatus(record, container) : status,
    ExitCode: exitCode,
    Limits: {
      CPU: Math.max(CPU_SHARES_MIN, definition?.cpu ?? 0),
      Memory: definition?.memory || (isFargate(record.task) ? undefined : 0),
    },
    // A container is made and started in one go.
    CreatedAt: timestamp(startedAt),
    StartedAt: timestamp(startedAt),
    FinishedAt: timestamp(stoppedAt),
    Type: "NORMAL",
    Networks: status === "PENDING" ? undefined : networksOf(record, container, version),
    Health: healthOf(container),
    Volumes: volumesOf(task, name),
    LogDriver: LogConfig?.Type || undefined,
    LogOptions: sorted(LogConfig?.Config ?? {}),
    ...(version === 4 && {
      ContainerARN: definition?.containerArn || undefined,
      Snapshotter: isFargate(record.task) ? "overlayfs" : undefined,
      RestartCount:
        restartPolicyOf(definition) === undefined ? undefined : (container.restartCount ?? 0),
    }),
  };
}

/** ECS agent: how far a container has come that is not made yet. Here all images of a task are pulled before any is made. */
function pendingStatus(
  { pullStartedAt, pullStoppedAt }: TaskRecord,
  { imageDigest }: ContainerRecord,
): "NONE" | "PULLED" {
  const isPulling = pullStartedAt !== undefined && pullStoppedAt === undefined;
  return imageDigest === undefined || isPulling ? "NONE" : "PULLED";
}

function knownStatusOf(record: TaskRecord): string {
  if (record.containers.every(({ status }) => status === "STOPPED")) return "STOPPED";
  return record.runningAt === undefined ? "NONE" : "RUNNING";
}

function healthOf({ health }: ContainerRecord): object | undefined {
  return (
    health && {
      status: health.status,
      statusSince: timestamp(health.since),
      exitCode: health.exitCode || undefined,
      output: health.output || undefined,
    }
  );
}

function volumesOf({ agent, record }: EndpointTask, name: string): object[] | undefined {
  const definition = definitionOf(record, name);
  if (definition === undefined) return undefined;
  const imageVolumes = (other: string): readonly string[] =>
    record.containers.find((container) => container.name === other)?.imageVolumes ?? [];
  const places = { ...agent.volumePlaces, taskStorage: record.taskStorage };
  const mounts = volumeMounts(record.task, definition, places, imageVolumes);
  const volumes = mounts.map(({ source, target }) => ({ Source: source, Destination: target }));
  return volumes.length > 0 ? volumes : undefined;
}

/** Go writes the members of a map in the order of their names. Undefined where there are none. */
function sorted(map: Readonly<Record<string, string>>): Record<string, string> | undefined {
  const names = Object.keys(map).toSorted();
  if (names.length === 0) return undefined;
  return Object.fromEntries(names.map((name) => [name, map[name] ?? ""]));
}

/** In MiB. */
function storageMetrics(usage: TaskStorageUsage | undefined): object | undefined {
  if (usage === undefined) return undefined;
  const { reservedBytes, utilizedBytes } = usage;
  const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20);
  return { Utilized: mebibytes(utilizedBytes), Reserved: mebibytes(reservedBytes) };
}

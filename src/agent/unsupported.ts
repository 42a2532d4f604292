/**
 * What a payload may ask for and this agent cannot do. Such a task is refused by name, never run without the thing it asked
 * for. `capabilities.ts` is the other half: the scheduler does not send here what we do not claim.
 */
import type { PayloadContainer } from "../protocol/acs.ts";
import { type DockerSettings, decodeDockerSettings } from "./docker-settings.ts";
import { parseSecurityOptions } from "./security-options.ts";
import type { AssignedTask } from "./task-record.ts";
import { volumeOf } from "./volumes.ts";

/** The first thing this agent cannot do for a task, and the container that asks for it, if it is not the whole task. */
export interface Unsupported {
  readonly container?: string;
  /** By the task definition's name, e.g. `environmentFiles`. */
  readonly feature: string;
}

const CONFIG_KEYS = new Set([
  "User",
  "WorkingDir",
  "Hostname",
  "Labels",
  "Tty",
  "Healthcheck",
  "OpenStdin",
  "NetworkDisabled",
]);
const HOST_CONFIG_KEYS = new Set([
  "NetworkMode",
  "MemoryReservation",
  "Privileged",
  "ReadonlyRootfs",
  "CapAdd",
  "CapDrop",
  "Devices",
  "Init",
  "MemorySwap",
  "MemorySwappiness",
  "ShmSize",
  "Tmpfs",
  "Ulimits",
  "Sysctls",
  "Dns",
  "DnsSearch",
  "ExtraHosts",
  "SecurityOpt",
  "LogConfig",
]);
const TASK_FEATURES = ["proxyConfiguration", "attachments", "associations", "enableFaultInjection"];
const CONTAINER_FEATURES = [
  "environmentFiles",
  "firelensConfiguration",
  "credentialSpecs",
  "managedAgents",
];

/** The first feature of a task that this agent does not have, or undefined. */
export function findUnsupported(task: AssignedTask): Unsupported | undefined {
  const mode = unknownMode(task);
  if (mode !== undefined) return { feature: mode };
  const taskFeature = TASK_FEATURES.find((name) => isAsked(Reflect.get(task, name)));
  if (taskFeature !== undefined) return { feature: taskFeature };
  for (const container of task.containers) {
    const feature = inContainer(task, container);
    if (feature !== undefined) {
      return { container: container.name, feature };
    }
  }
  return undefined;
}

function unknownMode({ ipcMode, pidMode }: AssignedTask): string | undefined {
  if (!["", "host", "task"].includes(pidMode ?? "")) return `pidMode ${pidMode}`;
  if (!["", "host", "task", "none"].includes(ipcMode ?? "")) return `ipcMode ${ipcMode}`;
  return undefined;
}

function inContainer(task: AssignedTask, container: PayloadContainer): string | undefined {
  const feature = CONTAINER_FEATURES.find((name) => isAsked(Reflect.get(container, name)));
  if (feature !== undefined) return feature;
  const volumes = (container.mountPoints ?? []).map((mount) => volumeOf(task, mount.sourceVolume));
  const volume = volumes.find((candidate) => candidate?.kind === "unsupported");
  if (volume?.kind === "unsupported") return volume.feature;
  return inDockerSettings(decodeDockerSettings(container.dockerConfig));
}

function inDockerSettings({ config, hostConfig }: DockerSettings): string | undefined {
  const unknown = (document: object, keys: ReadonlySet<string>): string | undefined =>
    Object.entries(document).find(([key, value]) => !keys.has(key) && isAsked(value))?.[0];
  const key = unknown(config, CONFIG_KEYS) ?? unknown(hostConfig, HOST_CONFIG_KEYS);
  if (key !== undefined) return key;
  const { unknown: option } = parseSecurityOptions(hostConfig.SecurityOpt ?? []);
  return option === undefined ? undefined : `security option ${option}`;
}

/** False for what Docker's JSON says when it says nothing: null, false, 0, empty. */
function isAsked(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

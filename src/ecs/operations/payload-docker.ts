/**
 * The part of a container definition that reaches the agent as Docker's own configuration
 * (`ecs-agent-protocol` §2.6). The agent decodes it over what it computed itself, so what the agent computes
 * (command, environment, ports, volumes, memory …) must not appear here, not even as null.
 */
import type { ContainerDefinition, HealthCheck, LinuxParameters } from "@aws-sdk/client-ecs";
import type { DockerConfigStrings } from "../../protocol/acs.ts";
import type { DockerConfig, DockerHostConfig } from "../../protocol/docker-config.ts";
import { defined } from "../model/defined.ts";

const MIB = 2 ** 20;
/** ECS's `max-buffer-size`. Docker's own is 1m. */
const BUFFER_SIZE_DEFAULT = "10m";
const NANOSECONDS_PER_SECOND = 1e9;

/** A container definition with the task's overrides merged in, and what the task adds to it. */
export interface DockerTranslation {
  readonly container: ContainerDefinition;
  readonly networkMode: string;
  readonly taskId: string;
  /** For awslogs, where the definition does not say. */
  readonly logDriverMode?: string | undefined;
  /** Where awslogs sends to, where the definition does not say; undefined: to the agent's own endpoint. */
  readonly logEndpoint?: string | undefined;
}

/** Docker's two JSON documents for one container, and the API version they need. */
export function toDockerConfig(translation: DockerTranslation): DockerConfigStrings {
  return {
    version: apiVersion(translation.container),
    config: JSON.stringify(toConfig(translation.container)),
    hostConfig: JSON.stringify(toHostConfig(translation)),
  };
}

function toConfig(container: ContainerDefinition): DockerConfig {
  return defined({
    User: container.user,
    WorkingDir: container.workingDirectory,
    Hostname: container.hostname,
    Labels: container.dockerLabels,
    OpenStdin: container.interactive,
    Tty: container.pseudoTerminal,
    NetworkDisabled: container.disableNetworking,
    Healthcheck: container.healthCheck && toHealthcheck(container.healthCheck),
  });
}

function toHostConfig(translation: DockerTranslation): DockerHostConfig {
  const { container, networkMode } = translation;
  return defined({
    NetworkMode: networkMode,
    MemoryReservation: times(container.memoryReservation, MIB),
    Privileged: container.privileged,
    ReadonlyRootfs: container.readonlyRootFilesystem,
    ...fromLinuxParameters(container.linuxParameters, container.memory),
    Ulimits: container.ulimits?.map(({ name, softLimit, hardLimit }) => ({
      Name: name ?? "",
      Soft: softLimit ?? 0,
      Hard: hardLimit ?? 0,
    })),
    Sysctls: toSysctls(container.systemControls),
    Dns: container.dnsServers,
    DnsSearch: container.dnsSearchDomains,
    ExtraHosts: container.extraHosts?.map(({ hostname, ipAddress }) => `${hostname}:${ipAddress}`),
    SecurityOpt: container.dockerSecurityOptions,
    LogConfig: toLogConfig(translation),
  });
}

function toSysctls(controls: ContainerDefinition["systemControls"]): DockerHostConfig["Sysctls"] {
  if (!controls?.length) return undefined;
  return Object.fromEntries(controls.map(({ namespace, value }) => [namespace, value ?? ""]));
}

/** `memoryMiB` is the hard limit that `maxSwap` adds to. */
function fromLinuxParameters(
  linux: LinuxParameters | undefined,
  memoryMiB: number | undefined,
): DockerHostConfig {
  if (!linux) return {};
  return defined({
    CapAdd: linux.capabilities?.add,
    CapDrop: linux.capabilities?.drop,
    Devices: linux.devices?.map((device) => ({
      PathOnHost: device.hostPath ?? "",
      PathInContainer: device.containerPath ?? device.hostPath ?? "",
      CgroupPermissions: (device.permissions ?? ["read", "write", "mknod"])
        .map((permission) => permission.charAt(0))
        .join(""),
    })),
    Init: linux.initProcessEnabled,
    ShmSize: times(linux.sharedMemorySize, MIB),
    Tmpfs:
      linux.tmpfs &&
      Object.fromEntries(
        linux.tmpfs.map(({ containerPath, size, mountOptions }) => [
          containerPath,
          [`size=${size}m`, ...(mountOptions ?? [])].join(","),
        ]),
      ),
    // ECS: where no swap is asked for, this is ignored.
    MemorySwappiness: linux.maxSwap === undefined ? undefined : linux.swappiness,
    MemorySwap: linux.maxSwap === undefined ? undefined : ((memoryMiB ?? 0) + linux.maxSwap) * MIB,
  });
}

function toHealthcheck(check: HealthCheck): DockerConfig["Healthcheck"] {
  const command = check.command ?? [];
  const isDockerForm = ["CMD", "CMD-SHELL", "NONE"].includes(command[0] ?? "");
  return {
    Test: isDockerForm ? command : ["CMD", ...command],
    ...defined({
      Interval: times(check.interval, NANOSECONDS_PER_SECOND),
      Timeout: times(check.timeout, NANOSECONDS_PER_SECOND),
      StartPeriod: times(check.startPeriod, NANOSECONDS_PER_SECOND),
      Retries: check.retries,
    }),
  };
}

/** Docker knows streams, not ECS's prefixes: `awslogs-stream-prefix` becomes `<prefix>/<container>/<task id>`. */
function toLogConfig({
  container,
  taskId,
  logDriverMode,
  logEndpoint,
}: DockerTranslation): DockerHostConfig["LogConfig"] {
  const log = container.logConfiguration;
  if (!log?.logDriver) return undefined;
  const { "awslogs-stream-prefix": streamPrefix, ...options } = log.options ?? {};
  if (log.logDriver !== "awslogs") return { Type: log.logDriver, Config: options };
  const stream = streamPrefix && `${streamPrefix}/${container.name}/${taskId}`;
  const mode = options.mode ?? logDriverMode;
  return {
    Type: log.logDriver,
    Config: {
      ...(mode && { mode }),
      ...(logEndpoint && { "awslogs-endpoint": logEndpoint }),
      // An agent that is told where to send to has Docker's driver. Gantry's own keeps more than that.
      ...(logEndpoint && mode === "non-blocking" && { "max-buffer-size": BUFFER_SIZE_DEFAULT }),
      ...options,
      ...(stream && { "awslogs-stream": stream }),
    },
  };
}

/** The oldest Docker API version that knows what the container asks for; 1.21 is ECS's baseline for task roles. */
function apiVersion(container: ContainerDefinition): string {
  if (container.healthCheck?.startPeriod) return "1.29";
  if (container.linuxParameters?.initProcessEnabled) return "1.25";
  return container.healthCheck ? "1.24" : "1.21";
}

function times(value: number | undefined, factor: number): number | undefined {
  return value === undefined ? undefined : value * factor;
}

import { createHash } from "node:crypto";
import type { PayloadContainer } from "../protocol/acs.ts";
import {
  type BindMount,
  type ContainerNetwork,
  type ContainerSpec,
  type Image,
  RuntimeError,
} from "../runtime/runtime.ts";
import { decodeDockerSettings } from "./docker-settings.ts";
import { ecsLabels } from "./ecs-labels.ts";
import type { EndpointEnvironment } from "./endpoints/environment.ts";
import { parseSecurityOptions } from "./security-options.ts";
import { namespacesOf, SHM_BYTES_DEFAULT } from "./shared-namespaces.ts";
import { taskLimitsOf } from "./task-limits.ts";
import {
  AGENT_LABEL,
  type AssignedTask,
  CONTAINER_LABEL,
  DIGEST_LABEL,
  STOP_SIGNAL_LABEL,
  TASK_LABEL,
  taskIdOf,
} from "./task-record.ts";

/** Docker's search path for images that set none. */
const DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** ECS: 0 and 1 share mean 2, the kernel's least. */
const CPU_SHARES_MIN = 2;
/** containerd: ids have at most 76 characters and match this. */
const CONTAINER_ID_LENGTH_MAX = 76;
const CONTAINER_NAME_IN_ID = /^[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$/;

/** What the node adds to a container's definition and image. */
export interface ContainerPlace {
  readonly agentLabel: string;
  readonly cluster: string;
  readonly runtime: string;
  readonly network: ContainerNetwork;
  readonly endpoints: Pick<EndpointEnvironment, "defaults" | "injected">;
  readonly hostname: string | undefined;
  /** What Docker says of links, `NAME=value`. */
  readonly linkEnvironment: readonly string[];
  /** Generated /etc files, and volumes. */
  readonly mounts: readonly BindMount[];
  readonly outputPath: string;
  readonly taskStorage?: string | undefined;
}

/** Everything the runtime must know about one container. Pure. Throws RuntimeError for a container without a command. */
export function containerSpec(
  task: AssignedTask,
  container: PayloadContainer,
  image: Image,
  place: ContainerPlace,
): ContainerSpec {
  const { config, hostConfig } = decodeDockerSettings(container.dockerConfig);
  const security = parseSecurityOptions(hostConfig.SecurityOpt ?? []);
  return {
    id: containerIdOf(task.arn, container.name),
    taskId: taskIdOf(task.arn),
    runtime: place.runtime,
    image: image.name,
    imageDigest: image.digest,
    args: argsOf(container, image),
    environment: environmentOf(container, image, place, config.Tty === true),
    workingDirectory: config.WorkingDir || image.config.workingDirectory || "/",
    user: config.User || image.config.user,
    hostname: place.hostname,
    network: config.NetworkDisabled === true ? { mode: "isolated" } : place.network,
    cpuShares: Math.max(CPU_SHARES_MIN, container.cpu ?? 0),
    memoryBytesMax: container.memory ? container.memory * 2 ** 20 : undefined,
    memoryBytesReserved: hostConfig.MemoryReservation || undefined,
    memorySwapBytesMax: hostConfig.MemorySwap || undefined,
    swappiness: hostConfig.MemorySwappiness,
    taskLimits: taskLimitsOf(task),
    ...namespacesOf(task),
    init: hostConfig.Init === true,
    devices: (hostConfig.Devices ?? []).map((device) => ({
      hostPath: device.PathOnHost,
      containerPath: device.PathInContainer,
      permissions: device.CgroupPermissions,
    })),
    privileged: hostConfig.Privileged === true,
    readonlyRootfs: hostConfig.ReadonlyRootfs === true,
    capabilitiesAdded: hostConfig.CapAdd ?? [],
    capabilitiesDropped: hostConfig.CapDrop ?? [],
    noNewPrivileges: security.noNewPrivileges,
    apparmorProfile: security.apparmor,
    ulimits: (hostConfig.Ulimits ?? []).map(({ Name, Soft, Hard }) => ({
      name: Name,
      soft: Soft,
      hard: Hard,
    })),
    sysctls: hostConfig.Sysctls ?? {},
    shmBytes: hostConfig.ShmSize || SHM_BYTES_DEFAULT,
    tmpfs: hostConfig.Tmpfs ?? {},
    mounts: place.mounts,
    terminal: config.Tty === true,
    stdinOpen: config.OpenStdin === true,
    outputPath: place.outputPath,
    outputWaits: hostConfig.LogConfig?.Config?.mode === "blocking",
    taskStorage: place.taskStorage,
    labels: { ...config.Labels, ...ownLabels(task, container, image, place) },
  };
}

/** `<taskId>-<container name>`; names that containerd would refuse are shortened and told apart by a hash. */
export function containerIdOf(taskArn: string, name: string): string {
  const taskId = taskIdOf(taskArn);
  const roomForName = CONTAINER_ID_LENGTH_MAX - taskId.length - 1;
  if (name.length <= roomForName && CONTAINER_NAME_IN_ID.test(name)) return `${taskId}-${name}`;
  const plain = name.replace(/[^A-Za-z0-9]/g, "").slice(0, 24) || "container";
  return `${taskId}-${plain}-${createHash("sha256").update(name).digest("hex").slice(0, 12)}`;
}

/** Docker's rule: a given entry point also takes away the image's command; an empty one only the image's entry point. */
function argsOf(container: PayloadContainer, image: Image): readonly string[] {
  const command = overriddenCommand(container) ?? container.command ?? [];
  const entryPoint = container.entryPoint ?? undefined;
  const hasEntryPoint = entryPoint !== undefined && entryPoint.length > 0;
  const args = [
    ...(entryPoint ?? image.config.entrypoint),
    ...(command.length > 0 || hasEntryPoint ? command : image.config.command),
  ];
  if (args.length === 0) throw new RuntimeError("no command specified");
  return args;
}

function overriddenCommand(container: PayloadContainer): readonly string[] | undefined {
  const overrides = JSON.parse(container.overrides || "{}") as { command?: readonly string[] };
  return overrides.command;
}

/** Docker's and ECS's defaults, over them the image's, the definition's, the agent's: the runtime lets the later win. */
function environmentOf(
  container: PayloadContainer,
  image: Image,
  place: ContainerPlace,
  terminal: boolean,
): readonly string[] {
  return [
    DEFAULT_PATH,
    ...(place.hostname === undefined ? [] : [`HOSTNAME=${place.hostname}`]),
    ...(terminal ? ["TERM=xterm"] : []),
    ...place.linkEnvironment,
    ...place.endpoints.defaults,
    ...givenEnvironment(container, image),
    ...place.endpoints.injected,
  ];
}

/** What image and definition say, as `NAME=value`. */
export function givenEnvironment(container: PayloadContainer, image: Image): readonly string[] {
  return [
    ...image.config.environment,
    ...Object.entries(container.environment ?? {}).map(([name, value]) => `${name}=${value}`),
  ];
}

function ownLabels(
  task: AssignedTask,
  container: PayloadContainer,
  image: Image,
  place: ContainerPlace,
): Readonly<Record<string, string>> {
  return {
    ...ecsLabels(task, container.name, place.cluster),
    [AGENT_LABEL]: place.agentLabel,
    [TASK_LABEL]: task.arn,
    [CONTAINER_LABEL]: container.name,
    [DIGEST_LABEL]: image.digest,
    [STOP_SIGNAL_LABEL]: image.config.stopSignal,
  };
}

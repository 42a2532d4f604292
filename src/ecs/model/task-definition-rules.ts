import type { RegisterTaskDefinitionRequest } from "@aws-sdk/client-ecs";
import { findContainerViolation } from "./container-rules.ts";
import { findDependencyViolation } from "./dependency-rules.ts";
import { findRouterViolation } from "./log-rules.ts";
import { isName } from "./names.ts";
import { findSharedPortViolation } from "./port-rules.ts";
import { EXPRESSION_LENGTH_MAX } from "./query-parse.ts";
import { firstDuplicate } from "./rule.ts";
import { parseTaskCpu, parseTaskMemory } from "./task-size.ts";
import { findVolumesViolation } from "./volume-rules.ts";

/** ECS: containers of one definition. */
const CONTAINERS_MAX = 10;
/** ECS: bytes of a definition as JSON. */
const DOCUMENT_BYTES_MAX = 65_536;
/** ECS: constraints of a definition, and of it and RunTask together. */
export const PLACEMENT_CONSTRAINTS_MAX = 10;
/** ECS: GiB of a FARGATE task's own disk beyond the 20 that every one has. */
const EPHEMERAL_STORAGE_GIB_MIN = 21;
const EPHEMERAL_STORAGE_GIB_MAX = 200;

const SEE_GUIDE =
  "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.";

type Rule = (request: RegisterTaskDefinitionRequest) => string | undefined;

/**
 * The first thing that is wrong with a definition whatever launch type it is for, as the message of a ClientException:
 * ECS's words where `ecs-behaviour` §1.7 has them. What a launch type asks for is in `task-definition-compatibility.ts`.
 */
export function findDefinitionViolation(
  request: RegisterTaskDefinitionRequest,
): string | undefined {
  for (const rule of RULES) {
    const violation = rule(request);
    if (violation !== undefined) return violation;
  }
  return undefined;
}

const hasFamily: Rule = ({ family }) => {
  if (!family) return "Family should not be null or empty.";
  return isName(family) ? undefined : "Family contains invalid characters.";
};

const isNotTooLarge: Rule = (request) => {
  const length = Buffer.byteLength(JSON.stringify(request));
  return length > DOCUMENT_BYTES_MAX
    ? `Actual length: '${length}'. Max allowed length is '${DOCUMENT_BYTES_MAX}' bytes.`
    : undefined;
};

const hasContainers: Rule = ({ containerDefinitions = [] }) => {
  if (containerDefinitions.length === 0) return "Container list cannot be empty.";
  return containerDefinitions.length > CONTAINERS_MAX
    ? `Container list cannot have more than ${CONTAINERS_MAX} containers.`
    : undefined;
};

const hasReadableSize: Rule = ({ cpu, memory }) => {
  if (cpu !== undefined && parseTaskCpu(cpu) === undefined) {
    return `Invalid 'cpu' setting for task. ${SEE_GUIDE}`;
  }
  return memory !== undefined && parseTaskMemory(memory) === undefined
    ? `Invalid 'memory' setting for task. ${SEE_GUIDE}`
    : undefined;
};

const hasGoodContainers: Rule = (request) =>
  (request.containerDefinitions ?? []).flatMap(
    (container) => findContainerViolation(container, request) ?? [],
  )[0];

const hasEssentialContainer: Rule = ({ containerDefinitions = [] }) =>
  containerDefinitions.every(({ essential }) => essential === false)
    ? "Task definition doesn't have any essential container."
    : undefined;

const hasUniqueNames: Rule = ({ containerDefinitions = [], volumes = [] }) => {
  const container = firstDuplicate(containerDefinitions.map(({ name }) => name));
  if (container !== undefined) return "Container names must be unique within a task definition.";
  const volume = firstDuplicate(volumes.map(({ name }) => name));
  return volume === undefined ? undefined : `Volume name '${volume}' is used more than once.`;
};

/** What containers ask for must fit into what the task as a whole has. */
const fitsContainers: Rule = ({ containerDefinitions = [], cpu, memory }) => {
  const cpuUnits = cpu === undefined ? Number.POSITIVE_INFINITY : (parseTaskCpu(cpu) ?? 0);
  const memoryMiB =
    memory === undefined ? Number.POSITIVE_INFINITY : (parseTaskMemory(memory) ?? 0);
  const wanted = { cpuUnits: 0, memoryMiB: 0 };
  for (const container of containerDefinitions) {
    wanted.cpuUnits += container.cpu ?? 0;
    wanted.memoryMiB += container.memoryReservation ?? container.memory ?? 0;
    if ((container.memory ?? 0) > memoryMiB) {
      return `The 'memory' setting for container '${container.name}' is greater than for the task.`;
    }
  }
  if (wanted.cpuUnits > cpuUnits) {
    return "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.";
  }
  return wanted.memoryMiB > memoryMiB
    ? `Invalid 'memory' setting for task. Its containers have ${wanted.memoryMiB} MiB, the task has ${memoryMiB}.`
    : undefined;
};

/** The disk of FARGATE tasks, as the definition or overrides say. */
export const hasGoodEphemeralStorage = ({
  ephemeralStorage,
}: Pick<RegisterTaskDefinitionRequest, "ephemeralStorage">): string | undefined => {
  const sizeInGiB = ephemeralStorage?.sizeInGiB;
  if (sizeInGiB === undefined) return undefined;
  if (sizeInGiB < EPHEMERAL_STORAGE_GIB_MIN) {
    return `EphemeralStorage size should be at least ${EPHEMERAL_STORAGE_GIB_MIN}`;
  }
  return sizeInGiB > EPHEMERAL_STORAGE_GIB_MAX
    ? `EphemeralStorage size should be at most ${EPHEMERAL_STORAGE_GIB_MAX}`
    : undefined;
};

/** ECS: only FARGATE gives a task a disk of its own. */
const hasOwnDisk: Rule = ({ ephemeralStorage, requiresCompatibilities = [] }) =>
  ephemeralStorage !== undefined &&
  requiresCompatibilities.includes("EC2") &&
  !requiresCompatibilities.includes("FARGATE")
    ? "Tasks using the EC2 launch type do not support EphemeralStorage."
    : undefined;

/** App Mesh: one of each is needed. */
const PROXY_PROPERTIES: readonly (readonly string[])[] = [
  ["IgnoredUID", "IgnoredGID"],
  ["AppPorts"],
  ["ProxyIngressPort"],
  ["ProxyEgressPort"],
];

const hasGoodProxy: Rule = ({ proxyConfiguration, networkMode, containerDefinitions = [] }) => {
  if (!proxyConfiguration) return undefined;
  if (networkMode !== "awsvpc")
    return "APPMESH proxy configuration is only supported in networkMode=awsvpc.";
  if (!containerDefinitions.some(({ name }) => name === proxyConfiguration.containerName)) {
    return `Proxy container [${proxyConfiguration.containerName}] does not exist.`;
  }
  const given = new Set(proxyConfiguration.properties?.map(({ name }) => name));
  const missing = PROXY_PROPERTIES.find((names) => !names.some((name) => given.has(name)));
  return missing && `proxyConfiguration requires the property ${missing.join(" or ")}.`;
};

const hasGoodConstraints: Rule = ({ placementConstraints = [] }) => {
  if (placementConstraints.length > PLACEMENT_CONSTRAINTS_MAX) {
    return `A task definition can have at most ${PLACEMENT_CONSTRAINTS_MAX} placement constraints.`;
  }
  const isTooLong = placementConstraints.some(
    ({ expression = "" }) => expression.length > EXPRESSION_LENGTH_MAX,
  );
  if (isTooLong) return `Placement constraints have up to ${EXPRESSION_LENGTH_MAX} characters.`;
  return placementConstraints.some(({ expression }) => !expression)
    ? "A memberOf placement constraint must have an expression."
    : undefined;
};

/** ECS: namespaces are shared on Linux only. */
const hasGoodPlatform: Rule = ({ pidMode, ipcMode, runtimePlatform }) => {
  const isWindows = runtimePlatform?.operatingSystemFamily?.startsWith("WINDOWS");
  if (!isWindows) return undefined;
  if (pidMode) return "pidMode is not supported for Windows containers.";
  return ipcMode && "ipcMode is not supported for Windows containers.";
};

const hasNoAccelerators: Rule = ({ inferenceAccelerators }) =>
  inferenceAccelerators?.length ? "Inference accelerators are no longer available." : undefined;

/** ECS: containers of a task have GPUs of their own, or share them, but not both. */
const hasOneGpuKind: Rule = ({ containerDefinitions = [] }) => {
  const kinds = containerDefinitions
    .flatMap(({ resourceRequirements = [] }) => resourceRequirements)
    .filter(({ type }) => type === "GPU")
    .map(({ sharingStrategy }) => sharingStrategy !== undefined);
  return new Set(kinds).size > 1
    ? "All containers of a task must use the same option for GPUs: 'value' or 'sharingStrategy'."
    : undefined;
};

const RULES: readonly Rule[] = [
  hasFamily,
  isNotTooLarge,
  hasContainers,
  hasReadableSize,
  hasGoodContainers,
  hasUniqueNames,
  hasEssentialContainer,
  findSharedPortViolation,
  fitsContainers,
  findVolumesViolation,
  findDependencyViolation,
  hasGoodEphemeralStorage,
  hasOwnDisk,
  hasGoodProxy,
  hasGoodConstraints,
  findRouterViolation,
  hasGoodPlatform,
  hasNoAccelerators,
  hasOneGpuKind,
];

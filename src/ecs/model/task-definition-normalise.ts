import type {
  ContainerDefinition,
  HealthCheck,
  NetworkMode,
  PortMapping,
  RegisterTaskDefinitionRequest,
  Volume,
} from "@aws-sdk/client-ecs";
import { protocolOf } from "./port-rules.ts";
import type { TaskDefinitionDocument } from "./task-definition.ts";
import { parseTaskCpu, parseTaskMemory } from "./task-size.ts";

/**
 * The document of a revision: what the caller gave, with the defaults that ECS shows (`ecs-behaviour` §2.1). Members that
 * ECS does not fill in stay absent. Expects sizes that can be read: the rules have seen them.
 */
export function normaliseTaskDefinition(
  request: RegisterTaskDefinitionRequest,
): TaskDefinitionDocument {
  const { tags: _, family, containerDefinitions, volumes, cpu, memory, ...others } = request;
  const { taskRoleArn, executionRoleArn, ...rest } = others;
  return {
    family: family ?? "",
    containerDefinitions: (containerDefinitions ?? []).map((container) =>
      normaliseContainer(container, rest.networkMode),
    ),
    volumes: (volumes ?? []).map(normaliseVolume),
    placementConstraints: [],
    ...rest,
    // ECS: an empty text names no role.
    ...(taskRoleArn && { taskRoleArn }),
    ...(executionRoleArn && { executionRoleArn }),
    ...(cpu !== undefined && { cpu: String(parseTaskCpu(cpu)) }),
    ...(memory !== undefined && { memory: String(parseTaskMemory(memory)) }),
  };
}

function normaliseContainer(
  container: ContainerDefinition,
  networkMode: NetworkMode | undefined,
): ContainerDefinition {
  return {
    cpu: 0,
    essential: true,
    environment: [],
    mountPoints: [],
    volumesFrom: [],
    systemControls: [],
    ...container,
    portMappings: (container.portMappings ?? []).map((mapping) =>
      normalisePortMapping(mapping, networkMode),
    ),
    ...(container.healthCheck && { healthCheck: normaliseHealthCheck(container.healthCheck) }),
    ...(container.restartPolicy?.enabled && {
      restartPolicy: { restartAttemptPeriod: 300, ...container.restartPolicy },
    }),
  };
}

/**
 * ECS: a volume that says nothing else is a directory of the machine that lives as long as the task, and one on EFS begins
 * at the file system's root.
 */
function normaliseVolume(volume: Volume): Volume {
  const isSaid = VOLUME_KINDS.some((kind) => volume[kind]);
  if (!isSaid) return { ...volume, host: {} };
  const efs = volume.efsVolumeConfiguration;
  return efs ? { ...volume, efsVolumeConfiguration: { rootDirectory: "/", ...efs } } : volume;
}

/** What a volume can be: exactly one of these. */
export const VOLUME_KINDS: readonly Exclude<keyof Volume, "name">[] = [
  "host",
  "dockerVolumeConfiguration",
  "efsVolumeConfiguration",
  "s3filesVolumeConfiguration",
  "fsxWindowsFileServerVolumeConfiguration",
  "configuredAtLaunch",
];

/** Where a task has ports of its own, or the machine's, inside and outside are the same; a bridge draws one. */
function normalisePortMapping(
  mapping: PortMapping,
  networkMode: NetworkMode | undefined,
): PortMapping {
  const protocol = protocolOf(mapping);
  if (mapping.containerPortRange !== undefined) return { ...mapping, protocol };
  const isSamePort = networkMode === "awsvpc" || networkMode === "host";
  const hostPort = mapping.hostPort ?? (isSamePort ? mapping.containerPort : 0);
  return { ...mapping, ...(hostPort !== undefined && { hostPort }), protocol };
}

/** ECS: every 30 s, 5 s to answer, unhealthy after 3 in a row. */
function normaliseHealthCheck(check: HealthCheck): HealthCheck {
  return { interval: 30, timeout: 5, retries: 3, ...check };
}

import type { ContainerDefinition, PortMapping, Secret } from "@aws-sdk/client-ecs";
import { assert } from "../../lib/errors.ts";
import type {
  PayloadContainer,
  PayloadPortMapping,
  PayloadSecret,
  RegistryAuthentication,
} from "../../protocol/acs.ts";
import { containerArn } from "../model/arn.ts";
import { defined } from "../model/defined.ts";
import type { Container, ContainerOverride, Task } from "../model/task.ts";
import type { TaskDefinition } from "../model/task-definition.ts";
import { parseEcrRegistry } from "../model/task-definition-attributes.ts";
import { toDockerConfig } from "./payload-docker.ts";

/** One container of a task as its agent is told of it: definition and overrides merged, nothing left to look up. */
export function toPayloadContainer(
  task: Task,
  definition: TaskDefinition,
  record: Container,
  { door, logDriverMode }: { readonly door?: string; readonly logDriverMode?: string } = {},
): PayloadContainer {
  const container = mergedDefinition(task, definition, record.name);
  const { healthCheck, logConfiguration } = container;
  return {
    name: record.name,
    image: record.image,
    essential: record.essential,
    containerArn: containerArn(task, task.clusterName, task.id, record.uuid),
    cpu: container.cpu ?? 0,
    memory: container.memory ?? 0,
    // The agent allows nothing but a command in here; everything is merged already.
    overrides: "{}",
    environment: environmentOf(task, container, door),
    portMappings: portMappingsOf(task, container),
    dockerConfig: toDockerConfig({
      container,
      networkMode: task.networkMode,
      taskId: task.id,
      logDriverMode,
      logEndpoint: door,
    }),
    ...defined({
      command: container.command,
      entryPoint: container.entryPoint,
      links: container.links,
      startTimeout: container.startTimeout,
      stopTimeout: container.stopTimeout,
      mountPoints: container.mountPoints?.map((mount) => ({
        sourceVolume: mount.sourceVolume ?? "",
        containerPath: mount.containerPath ?? "",
        readOnly: mount.readOnly ?? false,
      })),
      volumesFrom: container.volumesFrom?.map((from) => ({
        sourceContainer: from.sourceContainer ?? "",
        readOnly: from.readOnly ?? false,
      })),
      dependsOn: container.dependsOn?.map((dependency) => ({
        containerName: dependency.containerName ?? "",
        condition: dependency.condition ?? "START",
      })),
      healthCheckType: healthCheck && ("docker" as const),
      logsAuthStrategy:
        logConfiguration?.logDriver === "awslogs" && task.executionRoleArn !== undefined
          ? ("ExecutionRole" as const)
          : undefined,
      secrets: secretsOf(task, container),
      environmentFiles: container.environmentFiles,
      registryAuthentication: registryAuthenticationOf(task, container, door),
      firelensConfiguration: container.firelensConfiguration,
      credentialSpecs: container.credentialSpecs,
      restartPolicy: container.restartPolicy,
    }),
  };
}

function mergedDefinition(
  task: Task,
  definition: TaskDefinition,
  name: string,
): ContainerDefinition {
  const container = definition.document.containerDefinitions?.find((entry) => entry.name === name);
  assert(container, `container ${name} is not in ${definition.family}:${definition.revision}`);
  const { command, cpu, memory, memoryReservation, environmentFiles } =
    overrideOf(task, name) ?? {};
  return {
    ...container,
    ...defined({
      command: command && [...command],
      cpu,
      memory,
      memoryReservation,
      environmentFiles: environmentFiles?.map((file) => ({ ...file })),
    }),
  };
}

function overrideOf(task: Task, name: string): ContainerOverride | undefined {
  return task.overrides.containerOverrides.find((override) => override.name === name);
}

function environmentOf(
  task: Task,
  container: ContainerDefinition,
  door: string | undefined,
): Record<string, string> {
  const pairs = [
    ...(container.environment ?? []),
    ...(overrideOf(task, container.name ?? "")?.environment ?? []),
  ];
  return {
    AWS_EXECUTION_ENV: `AWS_ECS_${task.launchType}`,
    ...(door !== undefined && isReachedFrom(task, door) && { AWS_ENDPOINT_URL: door }),
    ...Object.fromEntries(pairs.map(({ name, value }) => [name ?? "", value ?? ""])),
  };
}

/** A machine's loopback is that of its host tasks alone. */
function isReachedFrom({ networkMode }: Task, door: string): boolean {
  const { hostname } = new URL(door);
  return networkMode === "host" || !/^(?:127\.|localhost$|\[::1\]$)/.test(hostname);
}

/** awsvpc: empty, since Docker refuses to publish ports of a container that shares a network namespace. */
function portMappingsOf(task: Task, container: ContainerDefinition): PayloadPortMapping[] {
  if (task.networkMode === "awsvpc" || task.networkMode === "none") return [];
  return (container.portMappings ?? []).map(toPortMapping);
}

function toPortMapping(mapping: PortMapping): PayloadPortMapping {
  return {
    protocol: mapping.protocol ?? "tcp",
    ...defined({
      containerPort: mapping.containerPort,
      containerPortRange: mapping.containerPortRange,
      hostPort: mapping.hostPort,
    }),
  };
}

function secretsOf(task: Task, container: ContainerDefinition): PayloadSecret[] | undefined {
  const forContainer = (container.secrets ?? []).map((secret) => ({
    ...toSecret(task, secret),
    type: "ENVIRONMENT_VARIABLE" as const,
    target: "CONTAINER" as const,
  }));
  const forLogDriver = (container.logConfiguration?.secretOptions ?? []).map((secret) => ({
    ...toSecret(task, secret),
    type: "BOOTSTRAP" as const,
    target: "LOG_DRIVER" as const,
  }));
  const secrets = [...forContainer, ...forLogDriver];
  return secrets.length > 0 ? secrets : undefined;
}

/** A plain name is a parameter of the task's own region; an ARN says service and region itself. */
function toSecret(
  task: Task,
  secret: Secret,
): Pick<PayloadSecret, "name" | "valueFrom" | "region" | "provider"> {
  const valueFrom = secret.valueFrom ?? "";
  const [, , service, region] = valueFrom.startsWith("arn:") ? valueFrom.split(":") : [];
  return {
    name: secret.name ?? "",
    valueFrom,
    region: region || task.region,
    provider: service === "secretsmanager" ? "asm" : "ssm",
  };
}

function registryAuthenticationOf(
  task: Task,
  container: ContainerDefinition,
  door: string | undefined,
): RegistryAuthentication | undefined {
  const credentialsParameter = container.repositoryCredentials?.credentialsParameter;
  if (credentialsParameter !== undefined) {
    const region = credentialsParameter.startsWith("arn:")
      ? credentialsParameter.split(":")[3]
      : "";
    return { type: "asm", asmAuthData: { credentialsParameter, region: region || task.region } };
  }
  const ecr = parseEcrRegistry(container.image ?? "");
  if (ecr === undefined) return undefined;
  return {
    type: "ecr",
    ecrAuthData: {
      ...ecr,
      useExecutionRole: task.executionRoleArn !== undefined,
      // AWS would be shown a key that is none of its own.
      ...(door !== undefined && { endpointOverride: door }),
    },
  };
}

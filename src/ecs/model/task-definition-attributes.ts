import type { Attribute, ContainerDefinition } from "@aws-sdk/client-ecs";
import { EXTERNAL_ATTRIBUTE } from "./instance.ts";
import type { Task } from "./task.ts";
import type { TaskDefinitionDocument } from "./task-definition.ts";

/**
 * The attributes an instance must have to run this definition, by the names that agents register (`ecs-behaviour` §2.1).
 * The scheduler really asks for them, so a feature that an agent does not offer is refused instead of ignored.
 */
export function requiredAttributesOf(document: TaskDefinitionDocument): Attribute[] {
  const names = new Set([
    ...(document.containerDefinitions ?? []).flatMap((container) =>
      containerAttributes(document, container),
    ),
    ...taskAttributes(document),
  ]);
  return [...names].map((name) => ({ name }));
}

const AWS = "com.amazonaws.ecs.capability";
const ECS = "ecs.capability";

/** Each feature with the names it takes; `false` members fall out. */
function taskAttributes(document: TaskDefinitionDocument): string[] {
  const efs = (document.volumes ?? []).flatMap(({ efsVolumeConfiguration }) =>
    efsVolumeConfiguration ? [efsVolumeConfiguration] : [],
  );
  return chosen([
    [document.networkMode === "awsvpc", `${ECS}.task-eni`],
    [document.cpu !== undefined || document.memory !== undefined, `${ECS}.task-cpu-mem-limit`],
    [document.requiresCompatibilities?.includes("FARGATE"), dockerApi("1.18")],
    [
      document.taskRoleArn,
      `${AWS}.task-iam-role${document.networkMode === "host" ? "-network-host" : ""}`,
      dockerApi("1.21"),
    ],
    [document.pidMode !== undefined || document.ipcMode, `${ECS}.pid-ipc-namespace-sharing`],
    [efs.length > 0, `${ECS}.efs`],
    [efs.some(({ authorizationConfig }) => authorizationConfig), `${ECS}.efsAuth`],
    [document.proxyConfiguration, `${ECS}.aws-appmesh`],
    [document.enableFaultInjection, `${ECS}.fault-injection`],
    [
      document.volumes?.some(({ configuredAtLaunch }) => configuredAtLaunch),
      `${ECS}.storage.ebs-task-volume-attach`,
    ],
    [
      document.volumes?.some(({ s3filesVolumeConfiguration }) => s3filesVolumeConfiguration),
      `${ECS}.storage.s3-files`,
    ],
    [
      document.volumes?.some((volume) => volume.fsxWindowsFileServerVolumeConfiguration),
      `${ECS}.fsxWindowsFileServer`,
    ],
    ...(document.volumes ?? []).flatMap(({ dockerVolumeConfiguration }): Feature[] =>
      dockerVolumeConfiguration
        ? [[true, `${ECS}.docker-plugin.${dockerVolumeConfiguration.driver ?? "local"}`]]
        : [],
    ),
  ]);
}

function containerAttributes(
  document: TaskDefinitionDocument,
  container: ContainerDefinition,
): string[] {
  const hasExecutionRole = document.executionRoleArn !== undefined;
  const isEcr = isEcrImage(container.image ?? "");
  const { healthCheck } = container;
  return chosen([
    ...logAttributes(container, hasExecutionRole),
    [isEcr, `${AWS}.ecr-auth`],
    [isEcr && hasExecutionRole, `${ECS}.execution-role-ecr-pull`],
    [container.privileged, `${AWS}.privileged-container`],
    [healthCheck, `${ECS}.container-health-check`],
    [healthCheck?.startPeriod !== undefined, dockerApi("1.29")],
    ...secretAttributes(container),
    [container.repositoryCredentials, `${ECS}.private-registry-authentication.secretsmanager`],
    [
      container.dependsOn?.length ||
        container.startTimeout !== undefined ||
        container.stopTimeout !== undefined,
      `${ECS}.container-ordering`,
    ],
    [container.environmentFiles?.length, `${ECS}.env-files.s3`],
    [hasCredentialSpec(container, "credentialspec"), `${ECS}.gmsa`],
    [hasCredentialSpec(container, "credentialspecdomainless"), `${ECS}.gmsa-domainless`],
    ...firelensAttributes(container),
    [container.restartPolicy?.enabled, `${ECS}.container-restart-policy`],
    [
      container.portMappings?.some(({ containerPortRange }) => containerPortRange !== undefined),
      `${ECS}.network.container-port-range`,
    ],
    [container.resourceRequirements?.some(({ type }) => type === "GPU"), `${AWS}.gpu`],
    [container.dockerLabels || container.ulimits?.length, dockerApi("1.18")],
    [container.memoryReservation !== undefined, dockerApi("1.21")],
    [container.linuxParameters?.initProcessEnabled, dockerApi("1.25")],
  ]);
}

function logAttributes(container: ContainerDefinition, hasExecutionRole: boolean): Feature[] {
  const log = container.logConfiguration;
  if (!log) return [];
  return [
    [true, `${AWS}.logging-driver.${log.logDriver}`, dockerApi("1.18")],
    [log.options, dockerApi("1.19")],
    [log.logDriver === "awslogs" && hasExecutionRole, `${ECS}.execution-role-awslogs`],
  ];
}

function secretAttributes(container: ContainerDefinition): Feature[] {
  const toLog = container.logConfiguration?.secretOptions ?? [];
  const toContainer = container.secrets ?? [];
  const isFromManager = ({ valueFrom }: { valueFrom: string | undefined }): boolean =>
    /^arn:[^:]+:secretsmanager:/.test(valueFrom ?? "");
  const isFromParameters = (secret: { valueFrom: string | undefined }): boolean =>
    !isFromManager(secret);
  return [
    [toContainer.some(isFromParameters), `${ECS}.secrets.ssm.environment-variables`],
    [toContainer.some(isFromManager), `${ECS}.secrets.asm.environment-variables`],
    [toLog.some(isFromParameters), `${ECS}.secrets.ssm.bootstrap.log-driver`],
    [toLog.some(isFromManager), `${ECS}.secrets.asm.bootstrap.log-driver`],
  ];
}

function firelensAttributes(container: ContainerDefinition): Feature[] {
  const firelens = container.firelensConfiguration;
  if (!firelens) return [];
  const fileType = firelens.options?.["config-file-type"];
  return [
    [true, `${ECS}.firelens.${firelens.type}`],
    [fileType, `${ECS}.firelens.options.config.${fileType}`],
  ];
}

function hasCredentialSpec(container: ContainerDefinition, kind: string): boolean {
  const given = [...(container.credentialSpecs ?? []), ...(container.dockerSecurityOptions ?? [])];
  return given.some((text) => text.startsWith(`${kind}:`));
}

/** Whether an image comes from a private ECR registry. */
export function isEcrImage(image: string): boolean {
  return parseEcrRegistry(image) !== undefined;
}

/** Account and region of an image's private ECR registry; undefined: it is in another one. */
export function parseEcrRegistry(
  image: string,
): { readonly registryId: string; readonly region: string } | undefined {
  const [, registryId, region] =
    /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com/.exec(image) ?? [];
  return registryId === undefined || region === undefined ? undefined : { registryId, region };
}

/** Is it used, and what does it take? */
type Feature = readonly [isUsed: unknown, ...names: string[]];

function chosen(features: readonly Feature[]): string[] {
  return features.flatMap(([isUsed, ...names]) => (isUsed ? names : []));
}

function dockerApi(version: string): string {
  return `${AWS}.docker-remote-api.${version}`;
}

/**
 * What an instance must have for a task of this definition beyond `requiresAttributes`: its platform, where the definition
 * names one, and what the task was started with.
 */
export function placementAttributesOf(
  document: TaskDefinitionDocument,
  options: Pick<Task, "enableExecuteCommand" | "launchType" | "overrides">,
): readonly { readonly name: string; readonly value?: string }[] {
  const { cpuArchitecture, operatingSystemFamily } = document.runtimePlatform ?? {};
  const isWindows = operatingSystemFamily?.startsWith("WINDOWS");
  return [
    // What agents say of GPUs is how many there are, which is a resource.
    ...(document.requiresAttributes ?? [])
      .filter(({ name }) => name !== `${AWS}.gpu`)
      .map(({ name = "", value }) => (value === undefined ? { name } : { name, value })),
    ...(cpuArchitecture
      ? [{ name: "ecs.cpu-architecture", value: cpuArchitecture.toLowerCase() }]
      : []),
    ...(operatingSystemFamily
      ? [
          isWindows
            ? { name: "ecs.os-family", value: operatingSystemFamily }
            : { name: "ecs.os-type", value: "linux" },
        ]
      : []),
    ...(options.enableExecuteCommand ? [{ name: "ecs.capability.execute-command" }] : []),
    ...(options.launchType === "EXTERNAL" ? [{ name: EXTERNAL_ATTRIBUTE }] : []),
    ...(options.overrides.containerOverrides.some(
      ({ environmentFiles }) => environmentFiles?.length,
    )
      ? [{ name: `${ECS}.env-files.s3` }]
      : []),
  ];
}

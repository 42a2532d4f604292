import type { Compatibility, ContainerDefinition } from "@aws-sdk/client-ecs";
import { isFargateSize } from "./fargate-sizes.ts";
import type { TaskDefinitionDocument } from "./task-definition.ts";
import { isEcrImage } from "./task-definition-attributes.ts";

/** Where a definition can run, and for each other launch type the first reason why not, in ECS's words where known. */
export interface Compatibilities {
  readonly compatible: Compatibility[];
  readonly reasons: ReadonlyMap<Compatibility, string>;
}

/** Holds a normalised definition against the rules of every launch type (`ecs-behaviour` §2.1). */
export function compatibilitiesOf(document: TaskDefinitionDocument): Compatibilities {
  const reasons = new Map<Compatibility, string>();
  const compatible: Compatibility[] = ["EC2"];
  for (const [compatibility, rules] of RULES) {
    const [reason] = rules.flatMap((rule) => rule(document) ?? []);
    if (reason === undefined) compatible.push(compatibility);
    else reasons.set(compatibility, reason);
  }
  return { compatible, reasons };
}

type Rule = (document: TaskDefinitionDocument) => string | undefined;

/** A rule that each container by itself has to pass. */
function eachContainer(
  rule: (container: ContainerDefinition, document: TaskDefinitionDocument) => string | undefined,
): Rule {
  return (document) =>
    (document.containerDefinitions ?? []).flatMap((entry) => rule(entry, document) ?? [])[0];
}

const hasTaskSize: Rule = ({ cpu, memory }) => {
  if (cpu === undefined) return "Fargate requires that 'cpu' be defined at the task level.";
  if (memory === undefined) return "Fargate requires that 'memory' be defined at the task level.";
  return undefined;
};

const hasFargateSize: Rule = ({ cpu, memory }) =>
  isFargateSize(Number(cpu), Number(memory))
    ? undefined
    : `No Fargate configuration exists for given values: ${cpu} CPU, ${memory} memory. See the Amazon ECS documentation for the valid values.`;

/** ECS: Windows needs a whole vCPU on Fargate. */
const hasFargateWindows: Rule = ({ runtimePlatform, cpu }) =>
  runtimePlatform?.operatingSystemFamily?.startsWith("WINDOWS") && Number(cpu) < 1024
    ? `No Fargate configuration exists for given values: ${cpu} CPU with Windows. See the Amazon ECS documentation for the valid values.`
    : undefined;

const hasFargateNamespaces: Rule = ({ pidMode, ipcMode }) => {
  if (pidMode === "host") {
    return "Tasks using the Fargate launch type do not support pidMode 'host'. The supported value for pidMode is 'task'.";
  }
  return ipcMode && unsupported("ipcMode");
};

function unsupported(what: string): string {
  return `Fargate compatible task definitions do not support ${what}.`;
}

const FARGATE_UNSUPPORTED_VOLUMES = [
  "dockerVolumeConfiguration",
  "fsxWindowsFileServerVolumeConfiguration",
] as const;

const hasFargateVolumes: Rule = ({ volumes }) => {
  if (volumes?.some(({ host }) => host?.sourcePath !== undefined)) {
    return unsupported("sourcePath");
  }
  const kind = FARGATE_UNSUPPORTED_VOLUMES.find((name) => volumes?.some((volume) => volume[name]));
  return kind && unsupported(kind);
};

/** ECS: what a container of a FARGATE task may not ask for. */
const FARGATE_UNSUPPORTED = [
  "links",
  "dnsServers",
  "dnsSearchDomains",
  "extraHosts",
  "hostname",
  "disableNetworking",
  "dockerSecurityOptions",
] as const satisfies readonly (keyof ContainerDefinition)[];

const FARGATE_UNSUPPORTED_LINUX = [
  "devices",
  "maxSwap",
  "swappiness",
  "sharedMemorySize",
  "tmpfs",
] as const satisfies readonly (keyof NonNullable<ContainerDefinition["linuxParameters"]>)[];

const hasFargateContainer = eachContainer((container) => {
  const linux = container.linuxParameters;
  if (container.privileged) return "Fargate requires that the 'privileged' setting be 'false'.";
  const asked =
    FARGATE_UNSUPPORTED.find((name) => isAsked(container[name])) ??
    FARGATE_UNSUPPORTED_LINUX.find((name) => isAsked(linux?.[name]));
  if (asked !== undefined) return unsupported(asked);
  const added = linux?.capabilities?.add?.find((capability) => capability !== "SYS_PTRACE");
  if (added !== undefined) return `${added} is not allowed on Fargate.`;
  return container.resourceRequirements?.some(({ type }) => type === "GPU")
    ? "Tasks using the Fargate launch type do not support GPU resource requirements."
    : undefined;
});

const FARGATE_LOG_DRIVERS: readonly string[] = ["awslogs", "splunk", "awsfirelens"];

const hasFargateLog = eachContainer(({ logConfiguration, firelensConfiguration }) => {
  const driver = logConfiguration?.logDriver;
  if (driver !== undefined && !FARGATE_LOG_DRIVERS.includes(driver)) {
    return `${driver} is not a valid log driver. Must be one of [${FARGATE_LOG_DRIVERS.join(", ")}].`;
  }
  if (driver === "awslogs" && !logConfiguration?.options?.["awslogs-stream-prefix"]) {
    return "Fargate requires log configuration options to include awslogs-stream-prefix.";
  }
  return firelensConfiguration?.options?.["config-file-type"] === "s3"
    ? "Fargate does not support 'config-file-type' s3."
    : undefined;
});

const hasFargateRole = eachContainer(({ logConfiguration, image }, document) => {
  if (document.executionRoleArn !== undefined) return undefined;
  const requires = "Fargate requires task definition to have execution role ARN to support";
  if (logConfiguration?.logDriver === "awslogs") return `${requires} log driver awslogs.`;
  return isEcrImage(image ?? "") ? `${requires} ECR images.` : undefined;
});

/** ECS: a FARGATE container may have up to two minutes to start or to stop. */
const FARGATE_TIMEOUT_SECONDS_MAX = 120;

const hasFargateTimeouts = eachContainer(({ name, startTimeout = 0, stopTimeout = 0 }) =>
  Math.max(startTimeout, stopTimeout) > FARGATE_TIMEOUT_SECONDS_MAX
    ? `Fargate supports startTimeout and stopTimeout up to ${FARGATE_TIMEOUT_SECONDS_MAX} seconds (container '${name}').`
    : undefined,
);

const isForExternal: Rule = ({
  networkMode,
  volumes,
  proxyConfiguration,
  containerDefinitions,
}) => {
  if (networkMode === "awsvpc") return "External instances do not support network mode 'awsvpc'.";
  if (proxyConfiguration) return "External instances do not support proxyConfiguration.";
  const isShared = containerDefinitions?.some(({ resourceRequirements }) =>
    resourceRequirements?.some(({ sharingStrategy }) => sharingStrategy),
  );
  if (isShared) return "External instances do not support sharing GPUs.";
  const isRemote = volumes?.some(
    (volume) =>
      volume.efsVolumeConfiguration ||
      volume.fsxWindowsFileServerVolumeConfiguration ||
      volume.configuredAtLaunch,
  );
  return isRemote ? "External instances do not support EFS, FSx and EBS volumes." : undefined;
};

const isForManagedInstances: Rule = (document) => {
  const { networkMode } = document;
  if (networkMode !== "awsvpc" && networkMode !== "host") {
    return "Managed instances only support network modes 'awsvpc' and 'host'.";
  }
  return document.cpu === undefined || document.memory === undefined
    ? "Managed instances require that 'cpu' and 'memory' be defined at the task level."
    : undefined;
};

/** EC2 instances run everything a definition can say. */
const RULES: readonly (readonly [Compatibility, readonly Rule[]])[] = [
  [
    "FARGATE",
    [
      ({ networkMode }) =>
        networkMode === "awsvpc" ? undefined : "Fargate only supports network mode ‘awsvpc’.",
      hasTaskSize,
      hasFargateSize,
      hasFargateWindows,
      hasFargateNamespaces,
      hasFargateVolumes,
      hasFargateContainer,
      hasFargateLog,
      hasFargateRole,
      hasFargateTimeouts,
      ({ placementConstraints }) =>
        placementConstraints?.length ? unsupported("constraints") : undefined,
    ],
  ],
  ["EXTERNAL", [isForExternal]],
  ["MANAGED_INSTANCES", [isForManagedInstances]],
];

function isAsked(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== undefined && value !== false && value !== "";
}

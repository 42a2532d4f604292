import { isIP } from "node:net";
import type { ContainerDefinition, RegisterTaskDefinitionRequest } from "@aws-sdk/client-ecs";
import {
  hasGoodLinuxParameters,
  hasGoodSecurity,
  hasGoodSystemControls,
  hasGoodUlimits,
} from "./linux-rules.ts";
import { hasGoodFirelens, hasGoodLog } from "./log-rules.ts";
import { isName } from "./names.ts";
import { hasGoodPorts } from "./port-rules.ts";
import { about, type ContainerRule as Rule } from "./rule.ts";
import { hasGoodEnvironment } from "./secret-rules.ts";

/** The first thing that is wrong with one container, as the message of a ClientException. */
export function findContainerViolation(
  container: ContainerDefinition,
  task: RegisterTaskDefinitionRequest,
): string | undefined {
  for (const rule of RULES) {
    const violation = rule(container, task);
    if (violation !== undefined) return violation;
  }
  return undefined;
}

/** ECS: the least a container can have. */
const MEMORY_MIB_MIN = 4;
/** ECS: of an image's name; a digest after `@` comes on top. */
const IMAGE_LENGTH_MAX = 255;

const hasNameAndImage: Rule = ({ name, image }) => {
  if (!name) return "Container.name should not be null or empty.";
  if (!isName(name)) return "Container.name contains invalid characters.";
  if (!image) return "Container.image should not be null or empty.";
  const [reference = "", digest] = image.split("@");
  if (reference.length > IMAGE_LENGTH_MAX) {
    return `Container.image has more than ${IMAGE_LENGTH_MAX} characters.`;
  }
  const isGood =
    !/\s/.test(image) && (digest === undefined || /^sha256:[0-9a-f]{64}$/.test(digest));
  return isGood ? undefined : "Container.image contains invalid characters.";
};

/** Memory and CPU of one container, as the definition or overrides say. */
export const hasGoodSize = (
  container: ContainerDefinition,
  task: Pick<RegisterTaskDefinitionRequest, "memory">,
): string | undefined => {
  const { name, memory, memoryReservation, cpu = 0 } = container;
  if (task.memory === undefined && memory === undefined && memoryReservation === undefined) {
    return `Invalid setting for container '${name}'. At least one of 'memory' or 'memoryReservation' must be specified.`;
  }
  const least = Math.min(memory ?? MEMORY_MIB_MIN, memoryReservation ?? MEMORY_MIB_MIN);
  if (least < MEMORY_MIB_MIN) {
    return about(container, `'memory' and 'memoryReservation' must be at least ${MEMORY_MIB_MIN}.`);
  }
  if (memory !== undefined && (memoryReservation ?? 0) > memory) {
    return about(container, "'memory' must be greater than or equal to 'memoryReservation'.");
  }
  return cpu < 0 ? about(container, "'cpu' must not be negative.") : undefined;
};

const fitsNetworkMode: Rule = (container, { networkMode }) => {
  if (networkMode === "awsvpc") return findAwsvpcViolation(container);
  if (container.links?.length && networkMode !== undefined && networkMode !== "bridge") {
    return `Links are not supported when networkMode=${networkMode}.`;
  }
  return networkMode === "none" && container.portMappings?.length
    ? "Port mappings are not supported when networkMode=none."
    : undefined;
};

function findAwsvpcViolation(container: ContainerDefinition): string | undefined {
  if (container.links?.length) return "Links are not supported when networkMode=awsvpc.";
  const names: readonly (readonly [unknown, string])[] = [
    [container.hostname, "Hostname is"],
    [container.dnsServers?.length, "DNS servers are"],
    [container.dnsSearchDomains?.length, "DNS search domains are"],
    [container.extraHosts?.length, "Extra hosts are"],
    [container.disableNetworking, "Disable Networking is"],
  ];
  const found = names.find(([isAsked]) => isAsked);
  return found && `${found[1]} not supported on container when networkMode=awsvpc.`;
}

/** ECS: whoever fetches secrets and logs in at a registry for a task acts in its execution role. */
const hasExecutionRole: Rule = ({ repositoryCredentials, secrets }, { executionRoleArn }) => {
  if (executionRoleArn) return undefined;
  if (secrets?.length) {
    return "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.";
  }
  return (
    repositoryCredentials &&
    "Private repository authentication requires that the task definition specify a value for executionRoleArn."
  );
};

/** ECS: bounds of health check and restart settings, in seconds or times. */
const BOUNDS: readonly {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly of: (container: ContainerDefinition) => number | undefined;
}[] = [
  { name: "healthCheck.interval", min: 5, max: 300, of: (c) => c.healthCheck?.interval },
  { name: "healthCheck.timeout", min: 2, max: 60, of: (c) => c.healthCheck?.timeout },
  { name: "healthCheck.retries", min: 1, max: 10, of: (c) => c.healthCheck?.retries },
  { name: "healthCheck.startPeriod", min: 0, max: 300, of: (c) => c.healthCheck?.startPeriod },
  {
    name: "restartPolicy.restartAttemptPeriod",
    min: 60,
    max: 1800,
    of: (c) => c.restartPolicy?.restartAttemptPeriod,
  },
  {
    name: "number of restartPolicy.ignoredExitCodes",
    min: 0,
    max: 50,
    of: (c) => c.restartPolicy?.ignoredExitCodes?.length,
  },
  { name: "startTimeout", min: 2, max: 2 ** 31 - 1, of: (c) => c.startTimeout },
  { name: "stopTimeout", min: 0, max: 2 ** 31 - 1, of: (c) => c.stopTimeout },
];

const isWithinBounds: Rule = (container) => {
  for (const { name, min, max, of } of BOUNDS) {
    const value = of(container);
    if (value !== undefined && (value < min || value > max)) {
      return about(container, `The ${name} must be between ${min} and ${max}.`);
    }
  }
  return container.healthCheck && !container.healthCheck.command?.length
    ? about(container, "A health check needs a command.")
    : undefined;
};

/** ECS: of search domains of names. */
const SEARCH_DOMAIN = /^[a-zA-Z0-9-.]{0,253}[a-zA-Z0-9]$/;

const hasGoodNames: Rule = (container) => {
  const { dnsSearchDomains = [], extraHosts = [], links = [] } = container;
  if (dnsSearchDomains.some((domain) => !SEARCH_DOMAIN.test(domain))) {
    return about(container, `'dnsSearchDomains' must match ${SEARCH_DOMAIN.source}.`);
  }
  if (extraHosts.some(({ hostname, ipAddress = "" }) => !hostname || isIP(ipAddress) === 0)) {
    return about(container, "An extra host needs a 'hostname' and an 'ipAddress'.");
  }
  return links.some((link) => !/^[A-Za-z0-9_-]+(:[A-Za-z0-9_.-]+)?$/.test(link))
    ? about(container, "A link is the name of a container, or name:alias.")
    : undefined;
};

/** ECS no longer has inference accelerators; GPUs are counted, all of them, or shared. */
const hasGoodDevices: Rule = (container) => {
  for (const { type, value, sharingStrategy } of container.resourceRequirements ?? []) {
    if (type === "InferenceAccelerator") {
      return about(container, "Inference accelerators are no longer available.");
    }
    if ((value === undefined) === (sharingStrategy === undefined)) {
      return about(
        container,
        "A resource requirement has either a 'value' or a 'sharingStrategy'.",
      );
    }
    if (value !== undefined && !/^([1-9]\d*|ALL)$/.test(value)) {
      return about(container, `The value of a resource requirement is a number or ALL.`);
    }
  }
  return undefined;
};

const RULES: readonly Rule[] = [
  hasNameAndImage,
  hasGoodSize,
  fitsNetworkMode,
  hasGoodPorts,
  hasGoodNames,
  hasGoodEnvironment,
  hasExecutionRole,
  isWithinBounds,
  hasGoodLog,
  hasGoodFirelens,
  hasGoodLinuxParameters,
  hasGoodUlimits,
  hasGoodSystemControls,
  hasGoodSecurity,
  hasGoodDevices,
];

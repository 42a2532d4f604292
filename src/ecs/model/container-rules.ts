import type {
  ContainerDefinition,
  PortMapping,
  RegisterTaskDefinitionRequest,
} from "@aws-sdk/client-ecs";
import { isName } from "./names.ts";

/** The definition a container stands in. */
type Surroundings = Pick<RegisterTaskDefinitionRequest, "networkMode" | "memory">;
type Rule = (container: ContainerDefinition, task: Surroundings) => string | undefined;

/** The first thing that is wrong with one container, as the message of a ClientException. */
export function findContainerViolation(
  container: ContainerDefinition,
  task: Surroundings,
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
const PORT_MAX = 65_535;
/** ECS: container port ranges of one container. */
const PORT_RANGES_MAX = 100;

const hasNameAndImage: Rule = ({ name, image }) => {
  if (!name) return "Container.name should not be null or empty.";
  if (!isName(name)) return "Container.name contains invalid characters.";
  if (!image) return "Container.image should not be null or empty.";
  if ((image.split("@")[0] ?? "").length > IMAGE_LENGTH_MAX) {
    return `Container.image has more than ${IMAGE_LENGTH_MAX} characters.`;
  }
  return /\s/.test(image) ? "Container.image contains invalid characters." : undefined;
};

const hasMemory: Rule = (container, task) => {
  const { name, memory, memoryReservation, cpu = 0 } = container;
  if (task.memory === undefined && memory === undefined && memoryReservation === undefined) {
    return `Invalid setting for container '${name}'. At least one of 'memory' or 'memoryReservation' must be specified.`;
  }
  const least = Math.min(memory ?? MEMORY_MIB_MIN, memoryReservation ?? MEMORY_MIB_MIN);
  if (least < MEMORY_MIB_MIN) {
    return about(container, `'memory' and 'memoryReservation' must be at least ${MEMORY_MIB_MIN}.`);
  }
  if (memory !== undefined && (memoryReservation ?? 0) > memory) {
    return about(container, "'memory' must not be less than 'memoryReservation'.");
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
    [container.disableNetworking, "Disabling networking is"],
  ];
  const found = names.find(([isAsked]) => isAsked);
  return found && `${found[1]} not supported on container when networkMode=awsvpc.`;
}

const hasGoodPorts: Rule = (container, { networkMode }) => {
  const mappings = container.portMappings ?? [];
  for (const mapping of mappings) {
    const violation = findPortViolation(container, mapping, networkMode);
    if (violation !== undefined) return violation;
  }
  const isTwofold = mappings.some((mapping, index) =>
    mappings.some(
      (other, otherIndex) =>
        otherIndex < index &&
        mapping.containerPort !== undefined &&
        other.containerPort === mapping.containerPort &&
        (other.protocol ?? "tcp") !== (mapping.protocol ?? "tcp"),
    ),
  );
  if (isTwofold) return about(container, "A container port is mapped with two protocols.");
  const ranges = mappings.filter(({ containerPortRange }) => containerPortRange !== undefined);
  return ranges.length > PORT_RANGES_MAX
    ? about(container, `It has more than ${PORT_RANGES_MAX} port ranges.`)
    : undefined;
};

function findPortViolation(
  container: ContainerDefinition,
  mapping: PortMapping,
  networkMode: Surroundings["networkMode"],
): string | undefined {
  const { containerPort, containerPortRange, hostPort } = mapping;
  if (containerPortRange !== undefined) return findRangeViolation(container, mapping, networkMode);
  if (!isPort(containerPort)) {
    return about(container, `'containerPort' must be a number from 1 to ${PORT_MAX}.`);
  }
  if (hostPort !== undefined && hostPort !== 0 && !isPort(hostPort)) {
    return about(container, `'hostPort' must be a number from 0 to ${PORT_MAX}.`);
  }
  const isSamePort = networkMode === "awsvpc" || networkMode === "host";
  return isSamePort && hostPort !== undefined && hostPort !== containerPort
    ? `When networkMode=${networkMode}, the host ports and container ports in port mappings must match.`
    : undefined;
}

function findRangeViolation(
  container: ContainerDefinition,
  { containerPort, containerPortRange = "", hostPort }: PortMapping,
  networkMode: Surroundings["networkMode"],
): string | undefined {
  if (networkMode === "host" || networkMode === "none") {
    return about(
      container,
      `'containerPortRange' is not supported with networkMode=${networkMode}.`,
    );
  }
  if (containerPort !== undefined || hostPort !== undefined) {
    return about(container, "'containerPortRange' stands alone, without other ports.");
  }
  const [first = 0, last = 0] = /^\d+-\d+$/.test(containerPortRange)
    ? containerPortRange.split("-").map(Number)
    : [];
  return isPort(first) && isPort(last) && first < last
    ? undefined
    : about(container, `'containerPortRange' must be two ports, as in 8000-8010.`);
}

function isPort(port: number | undefined): boolean {
  return port !== undefined && Number.isInteger(port) && port >= 1 && port <= PORT_MAX;
}

const hasGoodEnvironment: Rule = (container) => {
  const { environment = [], secrets = [] } = container;
  const names = new Set(environment.map(({ name }) => name));
  for (const { name, valueFrom } of secrets) {
    if (!name || !valueFrom) return about(container, "A secret needs 'name' and 'valueFrom'.");
    if (names.has(name)) {
      return `The secret name must be unique and not shared with any new or existing environment variables set on the container, such as '${name}'.`;
    }
    names.add(name);
  }
  const files = container.environmentFiles ?? [];
  if (files.length > 10) return about(container, "It can have at most 10 environment files.");
  return files.some(({ value }) => !/^arn:[^:]+:s3:::.+\.env$/.test(value ?? ""))
    ? about(container, "An environment file is the ARN of an S3 object that ends in .env.")
    : undefined;
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
  {
    name: "linuxParameters.swappiness",
    min: 0,
    max: 100,
    of: (c) => c.linuxParameters?.swappiness,
  },
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

const hasGoodLog: Rule = ({ logConfiguration: log }) => {
  if (log?.logDriver !== "awslogs") return undefined;
  const missing = ["awslogs-group", "awslogs-region"].filter((name) => !log.options?.[name]);
  return missing.length > 0
    ? `Log driver awslogs requires options: ${missing.join(", ")}`
    : undefined;
};

const RULES: readonly Rule[] = [
  hasNameAndImage,
  hasMemory,
  fitsNetworkMode,
  hasGoodPorts,
  hasGoodEnvironment,
  isWithinBounds,
  hasGoodLog,
];

function about({ name }: ContainerDefinition, what: string): string {
  return `Invalid setting for container '${name}'. ${what}`;
}

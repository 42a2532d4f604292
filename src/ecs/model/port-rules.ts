import type {
  ContainerDefinition,
  PortMapping,
  RegisterTaskDefinitionRequest,
} from "@aws-sdk/client-ecs";
import { about, type ContainerRule, firstDuplicate } from "./rule.ts";

/** What is wrong with the port mappings of containers (`ecs-behaviour` §2.4). */

const PORT_MAX = 65_535;
/** ECS: container port ranges of one container. */
const PORT_RANGES_MAX = 100;

type NetworkMode = RegisterTaskDefinitionRequest["networkMode"];

/** One container's port mappings by themselves. */
export const hasGoodPorts: ContainerRule = (container, { networkMode }) => {
  const mappings = container.portMappings ?? [];
  for (const mapping of mappings) {
    const violation =
      findPortViolation(container, mapping, networkMode) ?? findNameViolation(container, mapping);
    if (violation !== undefined) return violation;
  }
  const ranges = mappings.filter(({ containerPortRange }) => containerPortRange !== undefined);
  if (ranges.length > PORT_RANGES_MAX) {
    return about(container, `It has more than ${PORT_RANGES_MAX} port ranges.`);
  }
  return overlaps(mappings) ? about(container, "Its container port ranges overlap.") : undefined;
};

function findPortViolation(
  container: ContainerDefinition,
  mapping: PortMapping,
  networkMode: NetworkMode,
): string | undefined {
  const { containerPort, containerPortRange, hostPort } = mapping;
  if (containerPortRange !== undefined) return findRangeViolation(container, mapping, networkMode);
  if (!isPort(containerPort)) {
    return `Invalid 'containerPort' setting for container '${container.name}'.`;
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
  mapping: PortMapping,
  networkMode: NetworkMode,
): string | undefined {
  if (networkMode === "host" || networkMode === "none") {
    return about(
      container,
      `'containerPortRange' is not supported with networkMode=${networkMode}.`,
    );
  }
  if (mapping.containerPort !== undefined || mapping.hostPort !== undefined) {
    return about(container, "'containerPortRange' stands alone, without other ports.");
  }
  const [first, last] = rangeOf(mapping);
  return isPort(first) && isPort(last) && first < last
    ? undefined
    : `Invalid 'containerPortRange' setting for container '${container.name}'.`;
}

/** ECS: the names by which Service Connect knows ports. */
function findNameViolation(
  container: ContainerDefinition,
  { name }: PortMapping,
): string | undefined {
  return name === undefined || /^(?!-)[a-z0-9_-]{1,64}$/.test(name)
    ? undefined
    : about(
        container,
        "The name of a port mapping has up to 64 lowercase letters, digits, underscores and hyphens, and does not begin with a hyphen.",
      );
}

/** ECS: whatever is not `udp` is taken for `tcp`. */
export function protocolOf({ protocol }: PortMapping): "tcp" | "udp" {
  return protocol === "udp" ? "udp" : "tcp";
}

/** The container ports of a mapping, both included; zeros for what cannot be read. */
function rangeOf({ containerPort = 0, containerPortRange }: PortMapping): [number, number] {
  if (containerPortRange === undefined) return [containerPort, containerPort];
  const [, first = 0, last = 0] = /^(\d+)-(\d+)$/.exec(containerPortRange)?.map(Number) ?? [];
  return [first, last];
}

function isPort(port: number | undefined): boolean {
  return port !== undefined && Number.isInteger(port) && port >= 1 && port <= PORT_MAX;
}

/** Whether a range has a port with anything else in common. Single ports may be mapped to several host ports. */
function overlaps(mappings: readonly PortMapping[]): boolean {
  const sorted = mappings
    .map((mapping) => ({
      protocol: protocolOf(mapping),
      isRange: mapping.containerPortRange !== undefined,
      ports: rangeOf(mapping),
    }))
    .toSorted((a, b) => a.ports[0] - b.ports[0]);
  return sorted.some((each, index) =>
    sorted
      .slice(index + 1)
      .some(
        (later) =>
          later.protocol === each.protocol &&
          (later.isRange || each.isRange) &&
          later.ports[0] <= each.ports[1],
      ),
  );
}

/** What all containers of a definition have to agree about: names, and ports that they share. */
export function findSharedPortViolation({
  containerDefinitions = [],
  networkMode,
}: RegisterTaskDefinitionRequest): string | undefined {
  const mappings = containerDefinitions.flatMap(({ portMappings = [] }) => portMappings);
  const name = firstDuplicate(mappings.flatMap((mapping) => mapping.name ?? []));
  if (name !== undefined) return `The name '${name}' is given to more than one port mapping.`;
  if (networkMode !== "awsvpc" && networkMode !== "host") return undefined;
  const port = firstDuplicate(
    mappings.flatMap((mapping) =>
      mapping.containerPort === undefined
        ? []
        : [`${mapping.containerPort}/${protocolOf(mapping)}`],
    ),
  );
  return port === undefined
    ? undefined
    : `Port ${port} is mapped more than once: with networkMode=${networkMode} all containers of a task share their ports.`;
}

import type { PortBinding, PortMap, PortRange } from "../dataplane/dataplane.ts";
import type { PayloadPortMapping } from "../protocol/acs.ts";

/** A container's port at the machine, as reports have it: one port, or ranges as text. */
export interface NetworkBinding {
  readonly bindIP: string;
  readonly protocol: "tcp" | "udp";
  readonly containerPort?: number;
  readonly hostPort?: number;
  /** `8000-8010`. */
  readonly containerPortRange?: string;
  readonly hostPortRange?: string;
}

/** Docker publishes a port at every address of the machine. */
const BIND_IP = "0.0.0.0";
const PORT_MAX = 65_535;

/**
 * A container's port mappings as the dataplane takes them. ECS: host port 0 is any free one, and so is none; a protocol other
 * than udp is tcp. Throws RangeError naming a mapping that has no ports.
 */
export function portMapsOf(mappings: readonly PayloadPortMapping[]): readonly PortMap[] {
  return mappings.map((mapping) => {
    const { containerPort, containerPortRange, hostPort } = mapping;
    const [first = 0, last = 0] =
      containerPortRange === undefined || containerPortRange === null
        ? [containerPort, containerPort]
        : containerPortRange.split("-").map(Number);
    const isValid = [first, last, hostPort || 1].every(isPort) && first <= last;
    if (!isValid) throw new RangeError(`port mapping ${JSON.stringify(mapping)} is invalid`);
    return {
      protocol: mapping.protocol === "udp" ? "udp" : "tcp",
      containerPorts: { first, last },
      hostPort: hostPort || undefined,
    };
  });
}

/** The maps by which a container gets the ports once more that it has had. */
export function portMapsAgain(bindings: readonly NetworkBinding[]): readonly PortMap[] {
  return portMapsOf(
    bindings.map(({ bindIP: _, hostPort, hostPortRange = "", ...binding }) => ({
      ...binding,
      hostPort: hostPort ?? Number(hostPortRange.split("-")[0]),
    })),
  );
}

/** What reports say of the ports that a container has got. */
export function networkBindingsOf(bindings: readonly PortBinding[]): readonly NetworkBinding[] {
  return bindings.map(({ protocol, containerPorts, hostPorts }) =>
    containerPorts.first === containerPorts.last
      ? {
          bindIP: BIND_IP,
          protocol,
          containerPort: containerPorts.first,
          hostPort: hostPorts.first,
        }
      : {
          bindIP: BIND_IP,
          protocol,
          containerPortRange: textOf(containerPorts),
          hostPortRange: textOf(hostPorts),
        },
  );
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= PORT_MAX;
}

function textOf({ first, last }: PortRange): string {
  return `${first}-${last}`;
}

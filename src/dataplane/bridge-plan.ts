/** What the bridge network of a node and its containers are made of: pure, to commands as data. */
import { type Cidr, formatAddress, parseAddress, parseCidr, sizeOf } from "../lib/cidr.ts";
import type { Command } from "./command.ts";
import { DataplaneError, type PortBinding, type PortMap, portsOf } from "./dataplane.ts";
import type { Names } from "./names.ts";
import type { MappedPort, ObservedBridge } from "./observe-bridge.ts";
import {
  planRemovedNamespace,
  planRouterParts,
  planRouterSettings,
  type Router,
  routerAddress,
  type Seat,
} from "./router-plan.ts";
import { bridgeRules, type HostSettings, mapPorts, unmapPorts } from "./rules.ts";

/** The router of the bridge network. */
export function bridgeRouter(names: Names, cidr: string): Router {
  return {
    namespace: names.bridgeNamespace,
    hostLink: names.bridgeLink,
    block: parseCidr(cidr),
  };
}

/** The bridge network without its containers: what is missing of it is made, all settings are made again. */
export function planBridge(
  names: Names,
  router: Router,
  observed: ObservedBridge & { readonly mtuBytes: number },
  settings: HostSettings,
): readonly Command[] {
  const stale = observed.ports.filter(
    ({ address }) => ![...observed.addresses.values()].includes(address),
  );
  return [
    // Before the link is there: it is never open to the neighbours.
    nft(bridgeRules(names, router, settings)),
    ...stale.flatMap((port) => planUnmapped(names, port.address, [toBinding(port)])),
    ...planRouterParts(router, observed),
    ...planRouterSettings(router),
  ];
}

/** Where a container sits on the bridge network. */
export function bridgeSeat(
  names: Names,
  router: Router,
  container: { readonly id: string; readonly address: string; readonly mtuBytes: number },
): Seat {
  const { address, id, mtuBytes } = container;
  return {
    namespace: names.containerNamespace(id),
    router: router.namespace,
    link: names.containerLink(id),
    address,
    prefixLength: router.block.prefixLength,
    gateway: routerAddress(router.block),
    macAddress: macAddressOf(address),
    mtuBytes,
  };
}

/** Removal of a container from the bridge network: first nobody is led to it any more. */
export function planUnseated(
  names: Names,
  container: {
    readonly id: string;
    readonly address: string | undefined;
    readonly bindings: readonly PortBinding[];
  },
): readonly Command[] {
  const { address, bindings, id } = container;
  return [
    ...(address === undefined ? [] : planUnmapped(names, address, bindings)),
    ...planRemovedNamespace(names.containerNamespace(id)),
  ];
}

/**
 * Leads ports of the machine to a container. The kernel decides once for a UDP flow where it goes, and remembers that for as long
 * as the client goes on: what came to one of the machine's `addresses` while the port was nobody's, or a process's, would never
 * reach the container.
 */
export function planMapped(
  names: Names,
  address: string,
  bindings: readonly PortBinding[],
  addresses: readonly string[],
): readonly Command[] {
  if (bindings.length === 0) return [];
  return [
    nft(mapPorts(names, address, bindings)),
    ...udpPortsOf(bindings).flatMap((port) =>
      addresses.map((own) => forgetUdp("--orig-port-dst", String(port), "--orig-dst", own)),
    ),
  ];
}

/** Frees ports of a container. UDP flows that lead to it are forgotten: they would go on to whoever has its address. */
export function planUnmapped(
  names: Names,
  address: string,
  bindings: readonly PortBinding[],
): readonly Command[] {
  if (bindings.length === 0) return [];
  const isFlowing = udpPortsOf(bindings).length > 0;
  return [
    nft(unmapPorts(names, address, bindings)),
    ...(isFlowing ? [forgetUdp("--reply-src", address)] : []),
  ];
}

/** The ports of the machine that bindings map for UDP. */
function udpPortsOf(bindings: readonly PortBinding[]): readonly number[] {
  return bindings
    .filter(({ protocol }) => protocol === "udp")
    .flatMap(({ hostPorts }) => portsOf(hostPorts));
}

function forgetUdp(...filter: readonly string[]): Command {
  return { tool: "conntrack", namespace: undefined, args: ["-D", "-p", "udp", ...filter] };
}

/** EC2 reserves four addresses of a subnet; here too the second is the router's and the fourth the host's. */
const ADDRESSES_RESERVED = 4;

/** The first free address from `start` on, around the block. Throws DataplaneError when none is left. */
export function pickBridgeAddress(
  block: Cidr,
  isTaken: (address: string) => boolean,
  start: number,
): string {
  const count = sizeOf(block) - ADDRESSES_RESERVED - 1;
  for (let step = 0; step < count; step++) {
    const offset = ADDRESSES_RESERVED + ((start + step) % count);
    const address = formatAddress(block.base + offset);
    if (!isTaken(address)) return address;
  }
  throw new DataplaneError(`the bridge network has no address left: ${count} containers have one`);
}

/**
 * The bindings that these mapped ports are for these maps; undefined when they are for others. A restarted process finds its
 * containers' ports by it.
 */
export function matchBindings(
  maps: readonly PortMap[],
  mapped: readonly MappedPort[],
): readonly PortBinding[] | undefined {
  const left = new Set(mapped);
  const bindings: PortBinding[] = [];
  for (const { containerPorts, hostPort, protocol } of maps) {
    const ports: number[] = [];
    for (let port = containerPorts.first; port <= containerPorts.last; port++) {
      const wanted = ports.length === 0 ? hostPort : (ports[0] ?? 0) + ports.length;
      const found = [...left].find(
        (each) =>
          each.protocol === protocol &&
          each.containerPort === port &&
          (wanted === undefined || each.hostPort === wanted),
      );
      if (found === undefined) return undefined;
      left.delete(found);
      ports.push(found.hostPort);
    }
    const [first = 0, last = ports.at(-1) ?? first] = [ports[0], ports.at(-1)];
    bindings.push({ protocol, containerPorts, hostPorts: { first, last } });
  }
  return left.size === 0 ? bindings : undefined;
}

/** A mapped port as a binding of one. */
export function toBinding({ containerPort, hostPort, protocol }: MappedPort): PortBinding {
  return {
    protocol,
    containerPorts: { first: containerPort, last: containerPort },
    hostPorts: { first: hostPort, last: hostPort },
  };
}

/** Docker: 02:42 and the address, so that whoever gets the address next also answers under its hardware address. */
function macAddressOf(address: string): string {
  const hex = parseAddress(address).toString(16).padStart(8, "0");
  return `02:42:${hex.match(/../g)?.join(":")}`;
}

function nft(script: string): Command {
  return { tool: "nft", namespace: undefined, script };
}

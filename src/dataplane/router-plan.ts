/**
 * A router is a network namespace through which tasks reach each other and the host: each VPC has one, and so has the bridge
 * network of the node.
 *
 *   host ── g<system>… ═══ uplink ── router ── <link> ═══ eth0 ── task
 *
 * It has a /32 route to every task and answers for them by proxy ARP, so there is no bridge device: nobody can take another's
 * address by answering for it, and the reverse-path filter refuses what comes under an address that is not the sender's.
 */
import { type Cidr, formatAddress, formatCidr } from "../lib/cidr.ts";
import type { Command, IpCommand, SysctlCommand } from "./command.ts";
import { TASK_LINK, UPLINK } from "./names.ts";

/** `broken`: the file is there and no namespace is mounted on it, as after a crash inside `ip netns add`. */
export type NamespaceState = "absent" | "broken" | "mounted";

export interface Router {
  readonly namespace: string;
  /** The host's end of the pair between host and router. */
  readonly hostLink: string;
  readonly block: Cidr;
}

/** What is known of a router's parts. */
export interface ObservedRouter {
  readonly namespace: NamespaceState;
  readonly hasHostLink: boolean;
  /** Of the links to be made. */
  readonly mtuBytes: number;
}

/** A task's or container's place at a router. */
export interface Seat {
  /** The namespace of the task. */
  readonly namespace: string;
  readonly router: string;
  /** The router's end of the pair. */
  readonly link: string;
  readonly address: string;
  readonly prefixLength: number;
  /** The router's address on the task's network. */
  readonly gateway: string;
  readonly macAddress: string;
  readonly mtuBytes: number;
}

/** What is known of one task's namespace. */
export interface ObservedTask {
  readonly namespace: NamespaceState;
  /** Whether the task's end of its pair is in that namespace. */
  readonly hasTaskLink: boolean;
  /** Whether the router's end is in the router's namespace. */
  readonly hasRouterLink: boolean;
}

/** EC2: the VPC's router is its first address, and the first address of each subnet. */
export const ROUTER_OFFSET = 1;
/** EC2: reserved "for future use" in the first subnet, so it is never given to an interface. */
const HOST_OFFSET = 3;

/** The router's namespace and its pair with the host, as far as they are missing. */
export function planRouterParts(router: Router, observed: ObservedRouter): readonly Command[] {
  const { hostLink, namespace } = router;
  const { hasHostLink, mtuBytes: mtu, namespace: state } = observed;
  const commands = [...planNamespace(undefined, namespace, state)];
  // A link whose other end's namespace is gone is being torn down.
  if (hasHostLink && state !== "mounted") commands.push(remove(undefined, `link del ${hostLink}`));
  if (!hasHostLink || state !== "mounted") {
    commands.push(
      ip(
        undefined,
        `link add ${hostLink} mtu ${mtu} type veth peer name ${UPLINK} mtu ${mtu} netns ${namespace}`,
      ),
    );
  }
  return commands;
}

/**
 * All settings of a router. Each may be made again at any time without disturbing traffic. The host's rules must guard its link
 * already: it is opened here to what they translate to loopback addresses.
 */
export function planRouterSettings(router: Router): readonly Command[] {
  const { block, hostLink, namespace } = router;
  const [own, host] = [routerAddress(block), hostAddressIn(block)];
  return [
    sysctl(undefined, "net/ipv4/ip_forward", "1"),
    // For the endpoints on 127.0.0.1 and for clients there: on this link alone, and only behind the rules' guard.
    sysctl(undefined, `net/ipv4/conf/${hostLink}/route_localnet`, "1"),
    sysctl(namespace, "net/ipv4/ip_forward", "1"),
    sysctl(namespace, "net/ipv4/conf/all/proxy_arp", "1"),
    // EC2: source/destination check. A task cannot send under an address that is not routed to it.
    sysctl(namespace, "net/ipv4/conf/all/rp_filter", "1"),
    // A new namespace inherits the host's; router addresses are on lo and must be answered for on every link.
    sysctl(namespace, "net/ipv4/conf/all/arp_ignore", "0"),
    sysctl(namespace, "net/ipv4/conf/default/arp_ignore", "0"),
    ip(undefined, `address replace ${host}/32 dev ${hostLink}`),
    ip(undefined, `link set ${hostLink} up`),
    ip(namespace, "link set lo up"),
    ip(namespace, `address replace ${own}/32 dev lo`),
    ip(namespace, `link set ${UPLINK} up`),
    ip(namespace, `route replace ${host}/32 dev ${UPLINK}`),
    ip(namespace, `route replace default via ${host} dev ${UPLINK}`),
    // Otherwise packets to an address that nobody has would go round between router and host.
    ip(namespace, `route replace unreachable ${formatCidr(block)}`),
    ip(
      undefined,
      `route replace ${formatCidr(block)} via ${own} dev ${hostLink} onlink src ${host}`,
    ),
  ];
}

/**
 * A task's namespace joined to its router. Completes what an earlier attempt left half-made. Two processes in the usual case:
 * the namespace is made from within the router's, where its pair is, which `ip netns add` does not mind.
 */
export function planSeat(seat: Seat, observed: ObservedTask): readonly Command[] {
  const { address, gateway, link, macAddress, mtuBytes: mtu, namespace: task, router } = seat;
  const isPaired = observed.hasTaskLink && observed.hasRouterLink;
  const commands: Command[] = [];
  // One end alone belongs to a namespace that is still being torn down.
  if (!isPaired && observed.hasRouterLink) commands.push(remove(router, `link del ${link}`));
  if (!isPaired && observed.hasTaskLink) commands.push(remove(task, `link del ${TASK_LINK}`));
  commands.push(...planNamespace(router, task, observed.namespace));
  if (!isPaired)
    commands.push(
      ip(
        router,
        `link add ${link} mtu ${mtu} type veth peer name ${TASK_LINK} mtu ${mtu} address ${macAddress} netns ${task}`,
      ),
    );
  commands.push(
    ...planRouterEnd(seat),
    ip(task, "link set lo up"),
    ip(task, `address replace ${address}/${seat.prefixLength} brd + dev ${TASK_LINK}`),
    ip(task, `link set ${TASK_LINK} up`),
    ip(task, `route replace default via ${gateway} dev ${TASK_LINK}`),
  );
  return commands;
}

/**
 * A pair whose other end stands in the host's namespace, down and without an address, until somebody else's agent finds it by its
 * MAC address and moves it into a task's namespace. It goes with the router's end, wherever it is.
 */
export function planOfferedPair(
  { link, macAddress, mtuBytes: mtu, router }: Offer,
  offeredLink: string,
): Command {
  return ip(
    undefined,
    `link add ${offeredLink} address ${macAddress} mtu ${mtu} type veth peer name ${link} mtu ${mtu} netns ${router}`,
  );
}

/** A place at a router that is somebody else's to take. */
export type Offer = Pick<Seat, "address" | "link" | "macAddress" | "mtuBytes" | "router">;

/** The router's end of a task's pair, and the route to the task by it. */
export function planRouterEnd({
  address,
  link,
  router,
}: Pick<Seat, "address" | "link" | "router">): readonly Command[] {
  return [
    ip(router, `link set ${link} up`),
    // Linux waits up to 0.8 s before it answers for somebody else.
    ip(router, `ntable change name arp_cache dev ${link} proxy_delay 0`),
    ip(router, `route replace ${address}/32 dev ${link}`),
  ];
}

/** A namespace, if it is missing. `from`: where the command runs. */
export function planNamespace(
  from: string | undefined,
  namespace: string,
  state: NamespaceState,
): readonly Command[] {
  if (state === "mounted") return [];
  const add = ip(from, `netns add ${namespace}`);
  return state === "broken" ? [remove(from, `netns del ${namespace}`), add] : [add];
}

/** Removal of a namespace. A pair in it goes with it, later and for nothing: `ip link del` would wait 33 ms for the kernel. */
export function planRemovedNamespace(namespace: string): readonly Command[] {
  return [remove(undefined, `netns del ${namespace}`)];
}

/** The router's own address in its block, or in a subnet. */
export function routerAddress(block: Cidr): string {
  return formatAddress(block.base + ROUTER_OFFSET);
}

/** The host's address in a router's block. */
export function hostAddressIn(block: Cidr): string {
  return formatAddress(block.base + HOST_OFFSET);
}

/** `ip …line`. */
export function ip(namespace: string | undefined, line: string): IpCommand {
  return { tool: "ip", namespace, args: line.split(" ") };
}

/** `ip …line`, of something that may be gone already. */
export function remove(namespace: string | undefined, line: string): IpCommand {
  return { ...ip(namespace, line), absentIsFine: true };
}

export function sysctl(namespace: string | undefined, path: string, value: string): SysctlCommand {
  return { tool: "sysctl", namespace, path, value };
}

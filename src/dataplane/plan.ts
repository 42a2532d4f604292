/**
 * What to do so that a node's network becomes what it should be: pure, from what is wanted and what was seen to commands as data.
 *
 *   host ── g<system><vpc> ═══ uplink ── VPC namespace ── eni-<interface> ═══ eth0 ── task namespace
 *
 * The VPC's namespace is its router: it holds each subnet's first address, has a /32 route to every interface, and answers
 * for them by proxy ARP, so there is no bridge. The host stands in the VPC as its fourth address (AWS: reserved).
 */

import { type Cidr, formatAddress, readCidr } from "../lib/cidr.ts";
import type { FeedInterface, FeedVpc, NodeNetwork } from "../protocol/node-feed.ts";
import type { Command, IpCommand, SysctlCommand } from "./commands.ts";
import { DataplaneError } from "./dataplane.ts";
import { type Names, TASK_LINK, UPLINK } from "./names.ts";
import { hostRules, removeTable, vpcRules } from "./rules.ts";

/** `broken`: the file is there and no namespace is mounted on it, as after a crash inside `ip netns add`. */
export type NamespaceState = "absent" | "broken" | "mounted";

/** What is known of this system's things on the host. Immutable. */
export interface ObservedHost {
  /** All namespaces of this system that are not absent. */
  readonly namespaces: ReadonlyMap<string, NamespaceState>;
  /** Links of this system in the host's namespace. */
  readonly links: ReadonlySet<string>;
  /** Router addresses configured by this process, by VPC namespace. A VPC made by an earlier process is not in it: it is configured anew. */
  readonly routers: ReadonlyMap<string, ReadonlySet<string>>;
  /** The host's rules as this process last loaded them. */
  readonly rules: string | undefined;
  /** Of the device with the host's default route, at most 1500. */
  readonly mtuBytes: number;
}

export interface NetworkPlan {
  readonly commands: readonly Command[];
  /** The host once the commands have run. */
  readonly after: ObservedHost;
}

/** EC2: the VPC's router is its first address, and the first address of each subnet. */
const ROUTER_OFFSET = 1;
/** EC2: reserved "for future use" in the first subnet, so it is never given to an interface. */
const HOST_OFFSET = 3;

/** Plans the host's part: VPCs come and go, subnets get their router address, rules follow. Tasks' namespaces are left alone. */
export function planNetwork(
  names: Names,
  desired: NodeNetwork,
  observed: ObservedHost,
): NetworkPlan {
  const commands: Command[] = [];
  const namespaces = new Map(observed.namespaces);
  const links = new Set(observed.links);
  const routers = new Map(observed.routers);
  const rules = hostRules(names, desired.vpcs);
  // Before any VPC is connected, so that it is never open to the neighbours.
  if (rules !== observed.rules) commands.push({ tool: "nft", namespace: undefined, script: rules });

  for (const vpc of desired.vpcs) {
    const namespace = names.vpcNamespace(vpc.vpcId);
    const wanted = routerAddresses(vpc, desired.interfaces);
    const configured = routers.get(namespace);
    if (configured === undefined) {
      commands.push(...makeVpc(names, vpc, observed), ...configureVpc(names, vpc));
      namespaces.set(namespace, "mounted");
      links.add(names.hostLink(vpc.vpcId));
    }
    for (const address of wanted)
      if (configured?.has(address) !== true)
        commands.push(ip(namespace, `address replace ${address}/32 dev lo`));
    routers.set(namespace, new Set([...(configured ?? []), ...wanted]));
  }

  const kept = new Set(desired.vpcs.map((vpc) => names.vpcNamespace(vpc.vpcId)));
  const keptLinks = new Set(desired.vpcs.map((vpc) => names.hostLink(vpc.vpcId)));
  for (const link of observed.links) {
    if (keptLinks.has(link)) continue;
    commands.push(remove(undefined, `link del ${link}`));
    links.delete(link);
  }
  for (const namespace of observed.namespaces.keys()) {
    if (!namespace.startsWith(names.vpcNamespacePrefix) || kept.has(namespace)) continue;
    commands.push(remove(undefined, `netns del ${namespace}`));
    namespaces.delete(namespace);
    routers.delete(namespace);
  }
  return { commands, after: { ...observed, namespaces, links, routers, rules } };
}

/** Removal of task links that the network no longer names. `links` maps each link to the VPC namespace it is in. */
export function planRemovedInterfaces(
  names: Names,
  desired: NodeNetwork,
  links: ReadonlyMap<string, string>,
): readonly Command[] {
  const kept = new Set(desired.interfaces.map((each) => names.interfaceLink(each.interfaceId)));
  const vpcs = new Set(desired.vpcs.map((vpc) => names.vpcNamespace(vpc.vpcId)));
  return [...links]
    .filter(([link, namespace]) => !kept.has(link) && vpcs.has(namespace))
    .map(([link, namespace]) => remove(namespace, `link del ${link}`));
}

/** What is known of one task's namespace. */
export interface ObservedTask {
  readonly namespace: NamespaceState;
  /** Whether the task's end of its pair is in that namespace. */
  readonly hasTaskLink: boolean;
  /** Whether the VPC's end is in the VPC's namespace. */
  readonly hasVpcLink: boolean;
}

/** A namespace with loopback only. */
export function planIsolatedTask(
  names: Names,
  taskId: string,
  state: NamespaceState,
): readonly Command[] {
  const task = names.taskNamespace(taskId);
  return [...makeNamespace(undefined, task, state), ip(task, "link set lo up")];
}

/**
 * A task's namespace joined to its interface. Completes what an earlier attempt left half-made. Two processes in the usual case:
 * the namespace is made from within the VPC's, where its pair is, which `ip netns add` does not mind.
 */
export function planAttachedTask(
  names: Names,
  taskId: string,
  attachment: { readonly vpc: FeedVpc; readonly eni: FeedInterface; readonly mtuBytes: number },
  observed: ObservedTask,
): readonly Command[] {
  const { vpc, eni, mtuBytes: mtu } = attachment;
  const task = names.taskNamespace(taskId);
  const router = names.vpcNamespace(vpc.vpcId);
  const link = names.interfaceLink(eni.interfaceId);
  const subnet = blockOf(eni.subnetCidr);
  const address = hostAddress(eni.privateIpv4Address);
  const isPaired = observed.hasTaskLink && observed.hasVpcLink;
  const commands: Command[] = [];
  // One end alone belongs to a namespace that is still being torn down.
  if (!isPaired && observed.hasVpcLink) commands.push(remove(router, `link del ${link}`));
  if (!isPaired && observed.hasTaskLink) commands.push(remove(task, `link del ${TASK_LINK}`));
  commands.push(...makeNamespace(router, task, observed.namespace));
  if (!isPaired)
    commands.push(
      ip(
        router,
        `link add ${link} mtu ${mtu} type veth peer name ${TASK_LINK} mtu ${mtu} address ${eni.macAddress} netns ${task}`,
      ),
    );
  commands.push(
    ip(router, `link set ${link} up`),
    // Linux waits up to 0.8 s before it answers for somebody else.
    ip(router, `ntable change name arp_cache dev ${link} proxy_delay 0`),
    ip(router, `route replace ${address}/32 dev ${link}`),
    ip(task, "link set lo up"),
    ip(task, `address replace ${address}/${subnet.prefixLength} brd + dev ${TASK_LINK}`),
    ip(task, `link set ${TASK_LINK} up`),
    ip(
      task,
      `route replace default via ${formatAddress(subnet.base + ROUTER_OFFSET)} dev ${TASK_LINK}`,
    ),
  );
  return commands;
}

/** Removal of a task's namespace. Its pair goes with it, later and for nothing: `ip link del` would wait 33 ms for the kernel. */
export function planDetachedTask(names: Names, taskId: string): readonly Command[] {
  return [remove(undefined, `netns del ${names.taskNamespace(taskId)}`)];
}

/** Removal of everything of this system. */
export function planRemoveAll(
  names: Names,
  observed: Pick<ObservedHost, "namespaces" | "links">,
): readonly Command[] {
  return [
    ...[...observed.links].map((link) => remove(undefined, `link del ${link}`)),
    ...[...observed.namespaces.keys()].map((each) => remove(undefined, `netns del ${each}`)),
    { tool: "nft", namespace: undefined, script: removeTable(names) },
  ];
}

/** The namespace of a VPC and its pair with the host, as far as they are missing. */
function makeVpc(names: Names, vpc: FeedVpc, observed: ObservedHost): readonly Command[] {
  const namespace = names.vpcNamespace(vpc.vpcId);
  const link = names.hostLink(vpc.vpcId);
  const state = observed.namespaces.get(namespace) ?? "absent";
  const commands = [...makeNamespace(undefined, namespace, state)];
  const hasLink = observed.links.has(link);
  // A link whose other end's namespace is gone is being torn down.
  if (hasLink && state !== "mounted") commands.push(remove(undefined, `link del ${link}`));
  if (!hasLink || state !== "mounted") {
    const mtu = observed.mtuBytes;
    commands.push(
      ip(
        undefined,
        `link add ${link} mtu ${mtu} type veth peer name ${UPLINK} mtu ${mtu} netns ${namespace}`,
      ),
    );
  }
  return commands;
}

/** All settings of a VPC. Each may be made again at any time without disturbing traffic. */
function configureVpc(names: Names, vpc: FeedVpc): readonly Command[] {
  const namespace = names.vpcNamespace(vpc.vpcId);
  const link = names.hostLink(vpc.vpcId);
  const block = blockOf(vpc.cidr);
  const host = formatAddress(block.base + HOST_OFFSET);
  const router = formatAddress(block.base + ROUTER_OFFSET);
  return [
    sysctl(undefined, "net/ipv4/ip_forward", "1"),
    sysctl(namespace, "net/ipv4/ip_forward", "1"),
    sysctl(namespace, "net/ipv4/conf/all/proxy_arp", "1"),
    // EC2: source/destination check. A task cannot send under an address that is not routed to it.
    sysctl(namespace, "net/ipv4/conf/all/rp_filter", "1"),
    // A new namespace inherits the host's; router addresses are on lo and must be answered for on every link.
    sysctl(namespace, "net/ipv4/conf/all/arp_ignore", "0"),
    sysctl(namespace, "net/ipv4/conf/default/arp_ignore", "0"),
    { tool: "nft", namespace, script: vpcRules(names) },
    ip(undefined, `address replace ${host}/32 dev ${link}`),
    ip(undefined, `link set ${link} up`),
    ip(namespace, "link set lo up"),
    ip(namespace, `address replace ${router}/32 dev lo`),
    ip(namespace, `link set ${UPLINK} up`),
    ip(namespace, `route replace ${host}/32 dev ${UPLINK}`),
    ip(namespace, `route replace default via ${host} dev ${UPLINK}`),
    // Otherwise packets to an address without interface would go round between VPC and host.
    ip(namespace, `route replace unreachable ${vpc.cidr}`),
    ip(undefined, `route replace ${vpc.cidr} via ${router} dev ${link} onlink src ${host}`),
  ];
}

/** The first address of each subnet that has an interface here. */
function routerAddresses(vpc: FeedVpc, interfaces: readonly FeedInterface[]): ReadonlySet<string> {
  const subnets = interfaces
    .filter((each) => each.vpcId === vpc.vpcId)
    .map((each) => each.subnetCidr);
  return new Set(subnets.map((cidr) => formatAddress(blockOf(cidr).base + ROUTER_OFFSET)));
}

function makeNamespace(
  from: string | undefined,
  namespace: string,
  state: NamespaceState,
): readonly Command[] {
  if (state === "mounted") return [];
  const add = ip(from, `netns add ${namespace}`);
  return state === "broken" ? [remove(from, `netns del ${namespace}`), add] : [add];
}

function ip(namespace: string | undefined, line: string): IpCommand {
  return { tool: "ip", namespace, args: line.split(" ") };
}

function remove(namespace: string | undefined, line: string): IpCommand {
  return { ...ip(namespace, line), absentIsFine: true };
}

function sysctl(namespace: string | undefined, path: string, value: string): SysctlCommand {
  return { tool: "sysctl", namespace, path, value };
}

/** The feed's CIDRs end up in commands and rules: nothing but a CIDR passes. */
function blockOf(cidr: string): Cidr {
  const block = readCidr(cidr);
  if (block === undefined) throw new DataplaneError(`${cidr} is no IPv4 network`);
  return block;
}

function hostAddress(text: string): string {
  if (text.includes("/") || readCidr(text) === undefined)
    throw new DataplaneError(`${text} is no IPv4 address`);
  return text;
}

/**
 * What to do so that a node's network becomes what it should be: pure, from what is wanted and what was seen to commands as data.
 * Each VPC has a router (`router-plan.ts`), which holds the first address of each subnet. The host stands in the VPC as its
 * fourth address (AWS: reserved).
 */
import { type Cidr, readCidr } from "../lib/cidr.ts";
import type { FeedInterface, FeedVpc, NodeNetwork } from "../protocol/node-feed.ts";
import type { Command } from "./command.ts";
import { DataplaneError } from "./dataplane.ts";
import type { Names } from "./names.ts";
import {
  ip,
  type NamespaceState,
  planNamespace,
  planOfferedPair,
  planRemovedNamespace,
  planRouterEnd,
  planRouterParts,
  planRouterSettings,
  type Router,
  remove,
  routerAddress,
  type Seat,
} from "./router-plan.ts";
import { type HostSettings, hostRules, removeTable, vpcRules } from "./rules.ts";

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

/** Plans the host's part: VPCs come and go, subnets get their router address, rules follow. Tasks' namespaces are left alone. */
export function planNetwork(
  names: Names,
  desired: NodeNetwork,
  observed: ObservedHost,
  settings: HostSettings,
): NetworkPlan {
  const commands: Command[] = [];
  const namespaces = new Map(observed.namespaces);
  const links = new Set(observed.links);
  const routers = new Map(observed.routers);
  const rules = hostRules(names, desired, settings);
  // Before any VPC is connected, so that it is never open to the neighbours.
  if (rules !== observed.rules) commands.push({ tool: "nft", namespace: undefined, script: rules });

  for (const vpc of desired.vpcs) {
    const router = routerOf(names, vpc);
    const { hostLink, namespace } = router;
    const wanted = routerAddresses(vpc, desired.interfaces);
    const configured = routers.get(namespace);
    if (configured === undefined) {
      const parts = {
        namespace: observed.namespaces.get(namespace) ?? ("absent" as const),
        hasHostLink: observed.links.has(hostLink),
        mtuBytes: observed.mtuBytes,
      };
      commands.push(
        ...planRouterParts(router, parts),
        { tool: "nft", namespace, script: vpcRules(names, router, settings.localAddress) },
        ...planRouterSettings(router),
      );
      namespaces.set(namespace, "mounted");
      links.add(hostLink);
    }
    for (const address of wanted)
      if (configured?.has(address) !== true)
        commands.push(ip(namespace, `address replace ${address}/32 dev lo`));
    routers.set(namespace, new Set([...(configured ?? []), ...wanted]));
  }

  const kept = new Set(desired.vpcs.map((vpc) => names.vpcNamespace(vpc.vpcId)));
  const keptLinks = new Set([
    names.bridgeLink,
    ...desired.vpcs.map((vpc) => names.hostLink(vpc.vpcId)),
  ]);
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

/** What is known of the interfaces that stand in the host's namespace for somebody else's agent. */
export interface ObservedOffers {
  /** Router ends that are there: VPC namespace by link. */
  readonly links: ReadonlyMap<string, string>;
  /** Router ends that this process has set up. */
  readonly complete: ReadonlySet<string>;
  readonly mtuBytes: number;
}

/**
 * Offers the interfaces that are not yet, and completes what an earlier attempt left half-made. All pairs come first: commands for
 * one namespace are one process, and an agent is already looking for its interface.
 */
export function planOffers(
  names: Names,
  desired: NodeNetwork,
  { complete, links, mtuBytes }: ObservedOffers,
): readonly Command[] {
  const offers = offeredOf(names, desired)
    .filter(({ link }) => !complete.has(link))
    .map(({ eni, link }) => ({
      interfaceId: eni.interfaceId,
      address: checkedAddress(eni.privateIpv4Address),
      link,
      macAddress: eni.macAddress,
      mtuBytes,
      router: names.vpcNamespace(eni.vpcId),
    }));
  return [
    ...offers
      .filter(({ link }) => !links.has(link))
      .map((offer) => planOfferedPair(offer, names.offeredLink(offer.interfaceId))),
    ...offers.flatMap(planRouterEnd),
  ];
}

/** The interfaces whose VPC is in the network, each with its router's end. */
export function offeredOf(
  names: Names,
  { interfaces, vpcs }: NodeNetwork,
): readonly { readonly eni: FeedInterface; readonly link: string }[] {
  const vpcIds = new Set(vpcs.map(({ vpcId }) => vpcId));
  return interfaces
    .filter(({ vpcId }) => vpcIds.has(vpcId))
    .map((eni) => ({ eni, link: names.interfaceLink(eni.interfaceId) }));
}

/** A namespace with loopback only. */
export function planIsolatedTask(
  names: Names,
  taskId: string,
  state: NamespaceState,
): readonly Command[] {
  const task = names.taskNamespace(taskId);
  return [...planNamespace(undefined, task, state), ip(task, "link set lo up")];
}

/** Where a task with this interface sits in its VPC. */
export function taskSeat(
  names: Names,
  taskId: string,
  attachment: { readonly vpc: FeedVpc; readonly eni: FeedInterface; readonly mtuBytes: number },
): Seat {
  const { eni, mtuBytes, vpc } = attachment;
  const subnet = blockOf(eni.subnetCidr);
  return {
    namespace: names.taskNamespace(taskId),
    router: names.vpcNamespace(vpc.vpcId),
    link: names.interfaceLink(eni.interfaceId),
    address: checkedAddress(eni.privateIpv4Address),
    prefixLength: subnet.prefixLength,
    gateway: routerAddress(subnet),
    macAddress: eni.macAddress,
    mtuBytes,
  };
}

/** Removal of a task's namespace. */
export function planDetachedTask(names: Names, taskId: string): readonly Command[] {
  return planRemovedNamespace(names.taskNamespace(taskId));
}

/** Removal of everything of this system. */
export function planRemoveAll(
  names: Names,
  observed: Pick<ObservedHost, "namespaces" | "links">,
): readonly Command[] {
  return [
    ...[...observed.links].map((link) => remove(undefined, `link del ${link}`)),
    ...[...observed.namespaces.keys()].map((each) => remove(undefined, `netns del ${each}`)),
    { tool: "nft", namespace: undefined, script: removeTable(names.table) },
    { tool: "nft", namespace: undefined, script: removeTable(names.bridgeTable) },
  ];
}

function routerOf(names: Names, vpc: FeedVpc): Router {
  return {
    namespace: names.vpcNamespace(vpc.vpcId),
    hostLink: names.hostLink(vpc.vpcId),
    block: blockOf(vpc.cidr),
  };
}

/** The first address of each subnet that has an interface here. */
function routerAddresses(vpc: FeedVpc, interfaces: readonly FeedInterface[]): ReadonlySet<string> {
  const subnets = interfaces
    .filter((each) => each.vpcId === vpc.vpcId)
    .map((each) => each.subnetCidr);
  return new Set(subnets.map((cidr) => routerAddress(blockOf(cidr))));
}

/** The feed's CIDRs end up in commands and rules: nothing but a CIDR passes. */
function blockOf(cidr: string): Cidr {
  const block = readCidr(cidr);
  if (block === undefined) throw new DataplaneError(`${cidr} is no IPv4 network`);
  return block;
}

function checkedAddress(text: string): string {
  if (text.includes("/") || readCidr(text) === undefined)
    throw new DataplaneError(`${text} is no IPv4 address`);
  return text;
}

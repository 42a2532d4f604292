/** The nftables scripts. Each takes effect in one kernel transaction, so loading it again disturbs no traffic. */
import { formatCidr } from "../lib/cidr.ts";
import type { FeedVpc, NodeNetwork } from "../protocol/node-feed.ts";
import { type PortBinding, portsOf } from "./dataplane.ts";
import { type Endpoints, endpointRules, guardRules, LINK_LOCAL_ADDRESS } from "./link-local.ts";
import { type Names, OVERLAY_LINK } from "./names.ts";
import { overlayAddressOf, vniOf } from "./overlay-plan.ts";
import { hostAddressIn, type Router } from "./router-plan.ts";

/** The bridge network's map from ports of the machine to ports of containers. */
export const PORTS_MAP = "ports";

/** In whose table this chain is, its endpoints are those of the host's own processes. */
export const HOST_ENDPOINTS_CHAIN = "endpoints";

/** What a machine's rules are made from besides its network. */
export interface HostSettings {
  readonly endpoints: Endpoints;
  /** Whether the host's own processes, and so tasks in network mode host, find the endpoints: of another system's otherwise. */
  readonly hostFindsEndpoints?: boolean;
  /** By which address other machines reach this one; undefined: there are none. */
  readonly localAddress: string | undefined;
  /** UDP port of the overlays. */
  readonly overlayPort: number;
  /** The host's link to the containers that are in no VPC. They come to VPCs under the host's address, as the host does. */
  readonly bridgeLink: string;
}

/**
 * The script of the host's namespace for VPCs: tasks go out under the host's address, nobody comes in, and the link-local
 * endpoints are where they should be, for the host's own processes too where they are this system's. Neither VPCs nor endpoints: no table.
 */
export function hostRules(
  names: Names,
  { peers, vpcs }: Pick<NodeNetwork, "vpcs" | "peers">,
  settings: HostSettings,
): string {
  const translations = endpointRules(settings.endpoints);
  if (vpcs.length === 0 && translations.length === 0) return removeTable(names.table);
  const links = anyOf(vpcs.map((vpc) => names.hostLink(vpc.vpcId)));
  const masquerade = vpcs.map(
    (vpc) => `ip saddr ${vpc.cidr} oifname != "${names.hostLink(vpc.vpcId)}" masquerade`,
  );
  const ofTasks =
    vpcs.length === 0
      ? []
      : [
          chain("guard", "filter hook prerouting priority raw", [
            ...vpcs.map((vpc) =>
              overlayGuard(
                vpc,
                peers.map(({ address }) => address),
                settings.overlayPort,
              ),
            ),
            ...guard(links, settings),
          ]),
          chain(
            "forward",
            "filter hook forward priority filter",
            forwardRules(links, [`iifname "${settings.bridgeLink}" accept`]),
          ),
          chain("prerouting", "nat hook prerouting priority dstnat", [
            `iifname != ${links} accept`,
            ...translations,
          ]),
          answerChain(links),
        ];
  return `${removeTable(names.table)}table ip ${names.table} {
${[
  ...ofTasks,
  ...(translations.length > 0 && settings.hostFindsEndpoints !== false
    ? [chain(HOST_ENDPOINTS_CHAIN, "nat hook output priority -100", translations)]
    : []),
  chain("postrouting", "nat hook postrouting priority srcnat", [
    // A process of the host has taken the address of the way that leads to no such place.
    `ct original ip daddr ${LINK_LOCAL_ADDRESS} oifname != "lo" masquerade`,
    ...masquerade,
  ]),
].join("")}}
`;
}

/**
 * The script of the host's namespace for the bridge network: its containers go out under the host's address, and come in
 * where a port of the machine is mapped to one of theirs. Leaves the mapped ports as they are.
 */
export function bridgeRules(names: Names, router: Router, settings: HostSettings): string {
  const link = `"${router.hostLink}"`;
  const mapped = `meta l4proto { tcp, udp } fib daddr type local dnat ip to meta l4proto . th dport map @${PORTS_MAP}`;
  const table = names.bridgeTable;
  return `table ip ${table}
flush table ip ${table}
table ip ${table} {
  map ${PORTS_MAP} {
    type inet_proto . inet_service : ipv4_addr . inet_service
  }
${[
  chain("guard", "filter hook prerouting priority raw", guard(link, settings)),
  chain("forward", "filter hook forward priority filter", forwardRules(link)),
  chain("prerouting", "nat hook prerouting priority dstnat", [
    ...endpointRules(settings.endpoints).map((rule) => `iifname ${link} ${rule}`),
    mapped,
  ]),
  answerChain(link),
  chain("output", "nat hook output priority -100", [mapped]),
  chain("postrouting", "nat hook postrouting priority srcnat", [
    // Also towards each other, by way of a mapped port: the answer must come back this way to be translated.
    `ip saddr ${formatCidr(router.block)} masquerade`,
    `ip saddr 127.0.0.0/8 oifname ${link} masquerade`,
  ]),
].join("")}}
`;
}

/** The script that maps a container's ports. Mapping again what is mapped to the same container is a success. */
export function mapPorts(names: Names, address: string, bindings: readonly PortBinding[]): string {
  const elements = bindings.flatMap(({ containerPorts, hostPorts, protocol }) =>
    portsOf(hostPorts).map(
      (port, index) => `${protocol} . ${port} : ${address} . ${containerPorts.first + index}`,
    ),
  );
  return elements.length === 0 ? "" : changeElements(names, "add", elements);
}

/** The script that frees a container's ports. They may be free already. */
export function unmapPorts(
  names: Names,
  address: string,
  bindings: readonly PortBinding[],
): string {
  const keys = bindings.flatMap(({ hostPorts, protocol }) =>
    portsOf(hostPorts).map((port) => `${protocol} . ${port}`),
  );
  // Naming them first makes the deletion succeed when they are gone.
  return keys.length === 0
    ? ""
    : mapPorts(names, address, bindings) + changeElements(names, "delete", keys);
}

function changeElements(names: Names, verb: string, elements: readonly string[]): string {
  return `${verb} element ip ${names.bridgeTable} ${PORTS_MAP} { ${elements.join(", ")} }\n`;
}

/**
 * The script of a VPC's namespace. `security_groups` leads from a destination address to the chain of its
 * security groups; an address that is not in it is open.
 */
export function vpcRules(
  names: Names,
  { block }: Router,
  localAddress: string | undefined,
): string {
  const overlay =
    localAddress === undefined
      ? []
      : [
          // Machines are told apart on the way, since each stands in the VPC under the same address.
          chain("postrouting", "nat hook postrouting priority srcnat", [
            `oifname "${OVERLAY_LINK}" ip saddr ${hostAddressIn(block)} snat to ${overlayAddressOf(localAddress)}`,
          ]),
        ];
  return `${removeTable(names.table)}table ip ${names.table} {
  map security_groups {
    type ipv4_addr : verdict
  }
${[
  chain("forward", "filter hook forward priority filter", ["ip daddr vmap @security_groups"]),
  // The overlay carries less than a task's own link, and not everybody heeds the ICMP that says so.
  chain("segments", "filter hook forward priority mangle", [
    `oifname "${OVERLAY_LINK}" tcp flags syn tcp option maxseg size set rt mtu`,
  ]),
  ...overlay,
].join("")}}
`;
}

/** The script that leaves no table. Naming it first makes the deletion succeed when there is none. */
export function removeTable(table: string): string {
  return `table ip ${table}\ndelete table ip ${table}\n`;
}

/** Rules for what comes from tasks. Who could send an overlay's datagrams could be any task of any VPC. */
function guard(links: string, { endpoints, overlayPort }: HostSettings): readonly string[] {
  return [...guardRules(links, endpoints), `udp dport ${overlayPort} drop`];
}

/** Only known machines put packets into a VPC. Of others' networks on the same port it says nothing. */
function overlayGuard({ vpcId }: FeedVpc, peers: readonly string[], overlayPort: number): string {
  // VXLAN's network identifier lies 96 bits behind the start of the UDP header.
  const own = `udp dport ${overlayPort} @th,96,24 ${vniOf(vpcId)}`;
  const strangers = peers.length === 0 ? "" : ` ip saddr != { ${[...new Set(peers)].join(", ")} }`;
  return `${own}${strangers} drop`;
}

/**
 * Forwarding makes the host a router: without this, its neighbours and other VPCs could address tasks directly. `exceptions`
 * are rules for those who may.
 */
function forwardRules(links: string, exceptions: readonly string[] = []): readonly string[] {
  return [
    `oifname != ${links} accept`,
    "ct state established,related accept",
    "ct status dnat accept",
    ...exceptions,
    "drop",
  ];
}

/**
 * A process of the host that has its UDP socket on all addresses answers a task under the host's address on the task's link,
 * whichever of its addresses was asked, and the task does not know who that is. Translated to that address on the way in, the
 * answer is translated back. After every map of ports: we hold those by such sockets.
 */
function answerChain(links: string): string {
  return chain("answers", "nat hook prerouting priority dstnat + 10", [
    `iifname ${links} meta l4proto udp fib daddr type local socket wildcard 1 redirect`,
  ]);
}

function chain(name: string, hook: string, rules: readonly string[]): string {
  const lines = [`type ${hook}; policy accept;`, ...rules].map((line) => `    ${line}\n`);
  return `  chain ${name} {\n${lines.join("")}  }\n`;
}

function anyOf(links: readonly string[]): string {
  return `{ ${links.map((link) => `"${link}"`).join(", ")} }`;
}

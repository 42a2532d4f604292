/**
 * The overlay of a VPC: what carries packets between its routers on different machines, pure. A VXLAN device in the router's
 * namespace, whose socket stays in the host's; one static neighbour for each other machine, one /32 route for each task there.
 * Nothing is learnt and nothing is flooded.
 *
 *   task ── router ── vxlan ══ UDP from host to host ══ vxlan ── router ── task
 */
import { createHash } from "node:crypto";
import { formatAddress, parseAddress } from "../lib/cidr.ts";
import type { FeedVpc, NodeNetwork } from "../protocol/node-feed.ts";
import type { Command, IpCommand } from "./command.ts";
import { type Names, OVERLAY_LINK } from "./names.ts";
import { ip, remove } from "./router-plan.ts";

/** What the VXLAN device is made with: another device is needed when one of them changes. */
export interface OverlayDevice {
  readonly vni: number;
  /** The machine's own address, by which the others reach it. */
  readonly localAddress: string;
  readonly udpPort: number;
  readonly mtuBytes: number;
}

/** One VPC's overlay, wanted or seen. */
export interface Overlay {
  /** Undefined: none, and nothing that needs one. */
  readonly device: OverlayDevice | undefined;
  /** Addresses of the other machines. */
  readonly peers: ReadonlySet<string>;
  /** Address of each task elsewhere → its machine's. */
  readonly routes: ReadonlyMap<string, string>;
}

export const NO_OVERLAY: Overlay = { device: undefined, peers: new Set(), routes: new Map() };

/** RFC 7348: 24 bits. The same on every machine; which VPCs of one machine have the same, it finds out. */
export function vniOf(vpcId: string): number {
  const hash = createHash("sha256").update(vpcId).digest();
  // 0 has a meaning of its own to some tools.
  return (hash.readUIntBE(0, 3) % (2 ** 24 - 1)) + 1;
}

/** The overlay that a VPC should have. Without another machine it has none. */
export function wantedOverlay(
  network: NodeNetwork,
  { vpcId }: FeedVpc,
  settings: Omit<OverlayDevice, "vni">,
): Overlay {
  const machines = new Map(
    network.peers
      .filter(({ address }) => address !== settings.localAddress)
      .map(({ address, ec2InstanceId }) => [ec2InstanceId, address]),
  );
  if (machines.size === 0) return NO_OVERLAY;
  const routes = network.remoteInterfaces.flatMap((eni) => {
    const machine = machines.get(eni.ec2InstanceId);
    return eni.vpcId === vpcId && machine !== undefined
      ? [[eni.privateIpv4Address, machine] as const]
      : [];
  });
  return {
    device: { ...settings, vni: vniOf(vpcId) },
    peers: new Set(machines.values()),
    routes: new Map(routes),
  };
}

/** From the overlay that is there to the wanted one. `wanted` is what is there once the commands have run. */
export function planOverlay(
  names: Names,
  vpcId: string,
  seen: Overlay,
  wanted: Overlay,
): readonly Command[] {
  const namespace = names.vpcNamespace(vpcId);
  const isKept = isSameDevice(seen.device, wanted.device);
  const before = isKept ? seen : NO_OVERLAY;
  const dev = `dev ${OVERLAY_LINK}`;
  const goneRoutes = [...before.routes.keys()].filter((address) => !wanted.routes.has(address));
  const gonePeers = [...before.peers].filter((peer) => !wanted.peers.has(peer));
  const newPeers = [...wanted.peers].filter((peer) => !before.peers.has(peer));
  const newRoutes = [...wanted.routes].filter(([to, peer]) => before.routes.get(to) !== peer);
  return [
    ...(isKept ? [] : planDevice(namespace, seen.device, wanted.device)),
    // A route may lead to a local task by now: only what leads over the overlay is removed.
    ...goneRoutes.map((address) => remove(namespace, `route del ${address}/32 ${dev}`)),
    ...gonePeers.flatMap((peer) => [
      remove(namespace, `route del ${overlayAddressOf(peer)}/32 ${dev}`),
      remove(namespace, `neigh del ${peer} ${dev}`),
    ]),
    ...gonePeers.map((peer) =>
      fdb(namespace, `del ${hardwareAddressOf(peer)} ${dev} dst ${peer} self`),
    ),
    ...newPeers.map((peer) =>
      fdb(namespace, `replace ${hardwareAddressOf(peer)} ${dev} dst ${peer} self permanent`),
    ),
    ...newPeers.flatMap((peer) => [
      ip(namespace, `neigh replace ${peer} lladdr ${hardwareAddressOf(peer)} ${dev} nud permanent`),
      ip(namespace, `route replace ${overlayAddressOf(peer)}/32 via ${peer} ${dev} onlink`),
    ]),
    ...newRoutes.map(([address, peer]) =>
      ip(namespace, `route replace ${address}/32 via ${peer} ${dev} onlink`),
    ),
  ];
}

function planDevice(
  namespace: string,
  before: OverlayDevice | undefined,
  wanted: OverlayDevice | undefined,
): readonly Command[] {
  const removed = before === undefined ? [] : [remove(namespace, `link del ${OVERLAY_LINK}`)];
  if (wanted === undefined) return removed;
  const { localAddress, mtuBytes, udpPort, vni } = wanted;
  const address = hardwareAddressOf(localAddress);
  return [
    ...removed,
    // Made from the host's namespace, so that its packets leave there; it is never seen in it.
    ip(
      undefined,
      `link add ${OVERLAY_LINK} mtu ${mtuBytes} address ${address} netns ${namespace} type vxlan id ${vni} dstport ${udpPort} local ${localAddress} nolearning`,
    ),
    ip(namespace, `link set ${OVERLAY_LINK} up`),
  ];
}

function isSameDevice(a: OverlayDevice | undefined, b: OverlayDevice | undefined): boolean {
  return (
    a?.vni === b?.vni &&
    a?.localAddress === b?.localAddress &&
    a?.udpPort === b?.udpPort &&
    a?.mtuBytes === b?.mtuBytes
  );
}

/**
 * The address under which a machine itself speaks to tasks on others, e.g. a load balancer or an operator with curl. It stands in
 * the VPC as the fourth address, but so do all machines; its address outside may also be met outside. So it has one in
 * 240.0.0.0/4, which nobody else uses, made of its address: private addresses all differ in the lower 28 bits.
 */
export function overlayAddressOf(machineAddress: string): string {
  return formatAddress(0xf0000000 + (parseAddress(machineAddress) % 2 ** 28));
}

/** The hardware address of a machine's overlay devices, which nobody has to be told. */
export function hardwareAddressOf(machineAddress: string): string {
  const hex = parseAddress(machineAddress).toString(16).padStart(8, "0");
  return `02:67:${hex.match(/../g)?.join(":")}`;
}

function fdb(namespace: string, line: string): IpCommand {
  const isRemoval = line.startsWith("del ");
  return {
    tool: "bridge",
    namespace,
    args: `fdb ${line}`.split(" "),
    ...(isRemoval && { absentIsFine: true }),
  };
}

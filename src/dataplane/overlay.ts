/** Keeps the overlays of a node's VPCs as the feed says. In memory is only what spares looking again. */
import { readAddress } from "../lib/cidr.ts";
import type { FeedVpc, NodeNetwork } from "../protocol/node-feed.ts";
import type { CommandRunner } from "./commands.ts";
import type { RouteJson } from "./host-routes.ts";
import { type Names, OVERLAY_LINK } from "./names.ts";
import { observeMtuOf } from "./observe.ts";
import {
  NO_OVERLAY,
  type Overlay,
  type OverlayDevice,
  overlayAddressOf,
  planOverlay,
  wantedOverlay,
} from "./overlay-plan.ts";

/** IANA: VXLAN. */
export const VXLAN_UDP_PORT = 4789;
/** RFC 7348 over IPv4: outer IP 20, UDP 8, VXLAN 8, inner Ethernet 14. */
const VXLAN_OVERHEAD_BYTES = 50;

export interface OverlaysDeps {
  readonly names: Names;
  readonly runner: CommandRunner;
  /** The machine's own; undefined: it has no others. */
  readonly localAddress: string | undefined;
  readonly udpPort: number;
}

export class Overlays {
  readonly #deps: OverlaysDeps;
  /** Of the device that the overlays' packets go through; undefined: look. */
  #underlayMtuBytes: number | undefined;
  /** By VPC, as this process has last made or seen it. */
  readonly #seen = new Map<string, Overlay>();

  constructor(deps: OverlaysDeps) {
    this.#deps = deps;
  }

  /** Makes the overlays of the VPCs of `network`, which are there. */
  async apply(network: NodeNetwork): Promise<void> {
    const { localAddress, names, runner, udpPort } = this.#deps;
    const ids = new Set(network.vpcs.map(({ vpcId }) => vpcId));
    // With its router, an overlay is gone too.
    for (const id of this.#seen.keys()) if (!ids.has(id)) this.#seen.delete(id);
    if (localAddress === undefined) return;
    this.#underlayMtuBytes ??= await observeMtuOf(runner, localAddress);
    const mtuBytes = this.#underlayMtuBytes - VXLAN_OVERHEAD_BYTES;
    const settings = { localAddress, udpPort, mtuBytes };
    for (const vpc of network.vpcs) {
      const seen = this.#seen.get(vpc.vpcId) ?? (await this.#look(vpc));
      const wanted = wantedOverlay(network, vpc, settings);
      this.#seen.delete(vpc.vpcId);
      await runner.run(planOverlay(names, vpc.vpcId, seen, wanted));
      this.#seen.set(vpc.vpcId, wanted);
    }
  }

  /** Looks again before the next change. */
  forget(): void {
    this.#seen.clear();
    this.#underlayMtuBytes = undefined;
  }

  #look({ vpcId }: FeedVpc): Promise<Overlay> {
    return observeOverlay(this.#deps.runner, this.#deps.names.vpcNamespace(vpcId));
  }
}

/** The overlay that is in a router's namespace. */
async function observeOverlay(runner: CommandRunner, namespace: string): Promise<Overlay> {
  const links = await runner.queryIp(namespace, ["-d", "link", "show", "type", "vxlan"]);
  const device = parseDevice(links);
  if (device === undefined) return NO_OVERLAY;
  const [routes, neighbours] = await Promise.all([
    runner.queryIp(namespace, ["-4", "route", "show", "dev", OVERLAY_LINK]),
    runner.queryIp(namespace, ["-4", "neigh", "show", "dev", OVERLAY_LINK, "nud", "permanent"]),
  ]);
  return { device, ...parseOverlay(routes, neighbours) };
}

/** The device by what `ip -d link` prints; one that is made differently counts as another. */
export function parseDevice(json: unknown): OverlayDevice | undefined {
  const link = (json as readonly LinkJson[]).find(({ ifname }) => ifname === OVERLAY_LINK);
  if (link === undefined) return undefined;
  const { id = 0, local = "", port = 0 } = link.linkinfo?.info_data ?? {};
  const isUp = link.flags?.includes("UP") === true;
  return { vni: isUp ? id : 0, localAddress: local, udpPort: port, mtuBytes: link.mtu };
}

/** Peers and routes by what `ip neigh` and `ip route` print of the device. */
export function parseOverlay(
  routes: unknown,
  neighbours: unknown,
): Pick<Overlay, "peers" | "routes"> {
  const seen = (neighbours as readonly { dst: string }[]).map(({ dst }) => dst);
  const leads = new Map(
    (routes as readonly (RouteJson & { gateway?: string })[]).flatMap(({ dst, gateway }) =>
      readAddress(dst) === undefined || gateway === undefined ? [] : [[dst, gateway] as const],
    ),
  );
  // A peer is complete with its route, which is made last; its entry in the forwarding table is made first.
  const peers = new Set(seen.filter((peer) => leads.get(overlayAddressOf(peer)) === peer));
  for (const peer of seen) leads.delete(overlayAddressOf(peer));
  return { peers, routes: leads };
}

interface LinkJson {
  readonly ifname: string;
  readonly mtu: number;
  readonly flags?: readonly string[];
  readonly linkinfo?: {
    readonly info_data?: { readonly id?: number; readonly local?: string; readonly port?: number };
  };
}

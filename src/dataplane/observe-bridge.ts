/** What is there of the bridge network: read from the kernel, which alone keeps it. Changes nothing. */
import { readAddress } from "../lib/cidr.ts";
import type { CommandRunner } from "./commands.ts";
import type { Protocol } from "./host-ports.ts";
import type { RouteJson } from "./host-routes.ts";
import { CONTAINER_LINK_PREFIX, type Names } from "./names.ts";
import { linkNames, namespaceState } from "./observe.ts";
import type { NamespaceState } from "./router-plan.ts";
import { PORTS_MAP } from "./rules.ts";

/** One port of the machine that leads to a container. */
export interface MappedPort {
  readonly protocol: Protocol;
  readonly hostPort: number;
  readonly address: string;
  readonly containerPort: number;
}

export interface ObservedBridge {
  readonly namespace: NamespaceState;
  readonly hasHostLink: boolean;
  /** The network's block, once it has been chosen. */
  readonly cidr: string | undefined;
  /** Address of each container's link that is there. */
  readonly addresses: ReadonlyMap<string, string>;
  readonly ports: readonly MappedPort[];
}

export async function observeBridge(runner: CommandRunner, names: Names): Promise<ObservedBridge> {
  const namespace = await namespaceState(names.bridgeNamespace);
  const [hostLinks, routes, ports] = await Promise.all([
    linkNames(runner, undefined),
    namespace === "mounted"
      ? runner.queryIp(names.bridgeNamespace, ["-4", "route", "show"])
      : Promise.resolve([]),
    readPorts(runner, names),
  ]);
  return {
    namespace,
    hasHostLink: hostLinks.includes(names.bridgeLink),
    ...parseBridgeRoutes(routes),
    ports,
  };
}

/** The block and the containers' addresses, by the routes of the bridge network's router as `ip` prints them. */
export function parseBridgeRoutes(json: unknown): Pick<ObservedBridge, "cidr" | "addresses"> {
  const routes = json as readonly RouteJson[];
  const addresses = routes.flatMap(({ dev = "", dst }) =>
    dev.startsWith(CONTAINER_LINK_PREFIX) && readAddress(dst) !== undefined
      ? [[dev, dst] as const]
      : [],
  );
  const cidr = routes.find(({ type }) => type === "unreachable")?.dst;
  return { cidr, addresses: new Map(addresses) };
}

async function readPorts(runner: CommandRunner, names: Names): Promise<readonly MappedPort[]> {
  const tables = (await runner.queryNft(["list", "tables"])) as NftJson;
  const hasTable = (tables.nftables ?? []).some(({ table }) => table?.name === names.bridgeTable);
  if (!hasTable) return [];
  return parsePorts(await runner.queryNft(["list", "map", "ip", names.bridgeTable, PORTS_MAP]));
}

/** The mapped ports by the JSON of their map as `nft` prints it. */
export function parsePorts(json: unknown): readonly MappedPort[] {
  const elements = ((json as NftJson).nftables ?? []).flatMap(({ map }) => map?.elem ?? []);
  return elements.map(([key, value]) => {
    const [protocol, hostPort] = key.concat;
    const [address, containerPort] = value.concat;
    return {
      protocol: protocol === "udp" ? "udp" : "tcp",
      hostPort: Number(hostPort),
      address: String(address),
      containerPort: Number(containerPort),
    };
  });
}

interface Concatenation {
  readonly concat: readonly [string, string | number];
}

interface NftJson {
  readonly nftables?: readonly {
    readonly table?: { readonly name: string };
    readonly map?: { readonly elem?: readonly (readonly [Concatenation, Concatenation])[] };
  }[];
}

/** What the machine's network looks like now: read by `ip -j`, `nft -j` and the files of /run/netns. Changes nothing. */
import { readdir, statfs } from "node:fs/promises";
import { join } from "node:path";
import { type CommandRunner, NETNS_DIRECTORY } from "./commands.ts";
import type { RouteJson } from "./host-routes.ts";
import { INTERFACE_LINK_PREFIX, isTable, type Names, TASK_LINK } from "./names.ts";
import type { ObservedHost } from "./plan.ts";
import type { NamespaceState, ObservedTask } from "./router-plan.ts";
import { HOST_ENDPOINTS_CHAIN } from "./rules.ts";

/** linux/magic.h: NSFS_MAGIC, the file system of mounted namespaces. */
const NSFS_MAGIC = 0x6e736673;
/** Ethernet. Chosen as the upper bound: jumbo frames need the whole path. */
const MTU_BYTES_MAX = 1500;

/** This system's things on the host. What this process has not done itself counts as not configured. */
export async function observeHost(runner: CommandRunner, names: Names): Promise<ObservedHost> {
  const [namespaces, links, mtuBytes] = await Promise.all([
    listNamespaces(names.namespacePrefix),
    linkNames(runner, undefined),
    observeMtuBytes(runner),
  ]);
  return {
    namespaces,
    links: new Set(links.filter((name) => name.startsWith(names.hostLinkPrefix))),
    routers: new Map(),
    rules: undefined,
    mtuBytes,
  };
}

/** What fits through the device with the host's default route, at most 1500. */
export async function observeMtuBytes(runner: CommandRunner): Promise<number> {
  const [links, routes] = (await Promise.all([
    runner.queryIp(undefined, ["link", "show"]),
    runner.queryIp(undefined, ["-4", "route", "show"]),
  ])) as [readonly LinkJson[], readonly RouteJson[]];
  const wayOut = routes.find(({ dst }) => dst === "default")?.dev;
  const mtu = links.find(({ ifname }) => ifname === wayOut)?.mtu ?? MTU_BYTES_MAX;
  return Math.min(mtu, MTU_BYTES_MAX);
}

/** Every IPv4 address of the host. */
export async function observeAddresses(runner: CommandRunner): Promise<readonly string[]> {
  const links = await runner.queryIp(undefined, ["-4", "address", "show"]);
  return (links as readonly { readonly addr_info: readonly { readonly local: string }[] }[])
    .flatMap(({ addr_info }) => addr_info)
    .map(({ local }) => local);
}

/** What fits through the device that has this address of the host, at most 1500. */
export async function observeMtuOf(runner: CommandRunner, address: string): Promise<number> {
  const links = await runner.queryIp(undefined, ["-4", "address", "show", "to", address]);
  const [link] = links as readonly LinkJson[];
  return Math.min(link?.mtu ?? MTU_BYTES_MAX, MTU_BYTES_MAX);
}

/** The task links in the VPC namespaces that `observed` has, each with its namespace. */
export async function observeInterfaceLinks(
  runner: CommandRunner,
  names: Names,
  observed: ObservedHost,
): Promise<ReadonlyMap<string, string>> {
  const routers = [...observed.namespaces]
    .filter(([name, state]) => state === "mounted" && name.startsWith(names.vpcNamespacePrefix))
    .map(([name]) => name);
  const found = new Map<string, string>();
  for (const namespace of routers)
    for (const link of await linkNames(runner, namespace))
      if (link.startsWith(INTERFACE_LINK_PREFIX)) found.set(link, namespace);
  return found;
}

/** One task's namespace and both ends of its pair. */
export async function observeTask(
  runner: CommandRunner,
  task: string,
  router: string,
  link: string,
): Promise<ObservedTask> {
  const namespace = await namespaceState(task);
  const [inTask, inRouter] = await Promise.all([
    namespace === "mounted" ? linkNames(runner, task) : Promise.resolve<readonly string[]>([]),
    linkNames(runner, router),
  ]);
  return {
    namespace,
    hasTaskLink: inTask.includes(TASK_LINK),
    hasRouterLink: inRouter.includes(link),
  };
}

/** Whether a namespace is there. Starts no process. */
export async function namespaceState(name: string): Promise<NamespaceState> {
  try {
    const { type } = await statfs(join(NETNS_DIRECTORY, name));
    return type === NSFS_MAGIC ? "mounted" : "broken";
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "absent";
    throw error;
  }
}

/** What other programs' tables mean for this system. nftables only: the older iptables does not show. */
export interface OtherTables {
  /** Chains whose policy drops what is forwarded. */
  readonly forwardDrops: readonly string[];
  /** The table of another system whose endpoints the host's own processes find. */
  readonly endpoints: string | undefined;
}

export async function observeOtherTables(
  runner: CommandRunner,
  names: Names,
): Promise<OtherTables> {
  return parseOtherTables(await runner.queryNft(["list", "chains"]), names.table);
}

/** {@link observeOtherTables} of the JSON that `nft` printed. */
export function parseOtherTables(json: unknown, ownTable: string): OtherTables {
  const chains = ((json as { nftables?: readonly { chain?: ChainJson }[] }).nftables ?? [])
    .flatMap(({ chain }) => (chain === undefined ? [] : [chain]))
    .filter((chain) => chain.family !== "ip6" && chain.table !== ownTable);
  return {
    forwardDrops: chains
      .filter((chain) => chain.hook === "forward" && chain.policy === "drop")
      .map((chain) => `${chain.family} ${chain.table} ${chain.name}`),
    endpoints: chains.find(({ name, table }) => isTable(table) && name === HOST_ENDPOINTS_CHAIN)
      ?.table,
  };
}

/** The loopback port that the endpoints of another system's table lead to; undefined when there is none. */
export async function observeEndpointPort(
  runner: CommandRunner,
  table: string,
): Promise<number | undefined> {
  const json = await runner.queryNft(["list", "chain", "ip", table, HOST_ENDPOINTS_CHAIN]);
  const rules = ((json as { nftables?: readonly { rule?: RuleJson }[] }).nftables ?? []).flatMap(
    ({ rule }) => rule?.expr ?? [],
  );
  return rules.find(({ dnat }) => dnat?.addr === "127.0.0.1")?.dnat?.port;
}

/** What is below /run/netns with this prefix. */
export async function listNamespaces(prefix: string): Promise<ReadonlyMap<string, NamespaceState>> {
  const files = await readdir(NETNS_DIRECTORY).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const own = files.filter((name) => name.startsWith(prefix));
  return new Map(
    await Promise.all(own.map(async (name) => [name, await namespaceState(name)] as const)),
  );
}

/** Names of the links in a namespace; undefined: the host's. */
export async function linkNames(
  runner: CommandRunner,
  namespace: string | undefined,
): Promise<readonly string[]> {
  const links = (await runner.queryIp(namespace, ["link", "show"])) as readonly LinkJson[];
  return links.map((link) => link.ifname);
}

interface LinkJson {
  readonly ifname: string;
  readonly mtu: number;
}

interface RuleJson {
  readonly expr: readonly { readonly dnat?: { readonly addr: string; readonly port: number } }[];
}

interface ChainJson {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly policy?: string;
}

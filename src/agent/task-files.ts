import { createHash } from "node:crypto";
import { isIPv4 } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import type { ElasticNetworkInterface } from "../protocol/acs.ts";
import type { BindMount } from "../runtime/runtime.ts";
import { containerIdOf } from "./container-spec.ts";
import type { Disk } from "./disk.ts";
import { type DockerSettings, decodeDockerSettings } from "./docker-settings.ts";
import type { Link } from "./links.ts";
import { type AssignedTask, taskIdOf } from "./task-record.ts";

/** Docker's first lines of every container's /etc/hosts. */
const HOSTS_HEAD = [
  "127.0.0.1\tlocalhost",
  "::1\tlocalhost ip6-localhost ip6-loopback",
  "fe00::0\tip6-localnet",
  "ff00::0\tip6-mcastprefix",
  "ff02::1\tip6-allnodes",
  "ff02::2\tip6-allrouters",
];
/** Docker: as many hexadecimal digits as it shows of a container's id. */
const GENERATED_HOSTNAME_LENGTH = 12;

/** The three files that name a container and what it can reach. */
export interface EtcFiles {
  readonly hosts: string;
  readonly hostname: string;
  readonly "resolv.conf": string;
}

/** Where the output of a task's container goes. */
export function outputPath(directory: string, taskArn: string, name: string): string {
  return join(containerDirectory(directory, taskArn, name), "output");
}

/** A container's place on the bridge network, and whom it links to there. */
export interface BridgeNeighbourhood {
  /** Undefined: it is on another network. */
  readonly address: string | undefined;
  readonly links: readonly Pick<Link, "name" | "alias" | "address">[];
}

const NO_BRIDGE: BridgeNeighbourhood = { address: undefined, links: [] };

/** Writes a container's /etc files and makes the directories it mounts. Returns the mounts of the files. */
export async function writeContainerFiles(
  { disk, directory }: { readonly disk: Disk; readonly directory: string },
  task: AssignedTask,
  name: string,
  bridge: BridgeNeighbourhood = NO_BRIDGE,
): Promise<readonly BindMount[]> {
  const folder = containerDirectory(directory, task.arn, name);
  const onHostNetwork = task.networkMode === "host";
  const [hosts, resolvers] = await Promise.all([
    onHostNetwork ? readMachineFile(disk, "/etc/hosts") : "",
    onHostNetwork ? readMachineFile(disk, "/etc/resolv.conf") : machineResolvers(disk),
    disk.makeDirectory(folder),
  ]);
  const machine = { hosts, "resolv.conf": resolvers, hostname: `${hostname()}\n` };
  const files = etcFiles(task, name, machine, bridge);
  return Promise.all(
    Object.entries(files).map(async ([file, text]) => {
      const source = join(folder, file);
      await disk.writeText(source, text, 0o644);
      return { source, target: `/etc/${file}`, readonly: false };
    }),
  );
}

/** systemd-resolved's own file: the servers that it asks itself, where /etc/resolv.conf only names its loopback address. */
const RESOLVED_UPSTREAMS = "/run/systemd/resolve/resolv.conf";

/** The machine's resolv.conf, or the one behind it when all its servers listen on loopback, where no task's namespace reaches. */
async function machineResolvers(disk: Disk): Promise<string> {
  const text = await readMachineFile(disk, "/etc/resolv.conf");
  const servers = text.split("\n").filter(isServer);
  if (servers.length === 0 || servers.some((line) => !isLoopback(line))) return text;
  return disk.readText(RESOLVED_UPSTREAMS).catch(() => text);
}

/** A small system may do without them. */
async function readMachineFile(disk: Disk, path: string): Promise<string> {
  return disk.readText(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
}

/** Removes all files of a task, its output included. */
export async function removeTaskFiles(
  { disk, directory }: { readonly disk: Disk; readonly directory: string },
  taskArn: string,
): Promise<void> {
  await disk.remove(taskDirectory(directory, taskArn));
}

/**
 * The host name of a container: its interface's in awsvpc, the machine's own (undefined) on the host's network, elsewhere one that
 * no other container has. Docker takes the beginning of the container's id, which here is the task's and so that of its siblings.
 */
export function hostnameOf(task: AssignedTask, name: string): string | undefined {
  const privateDnsName = task.elasticNetworkInterfaces?.[0]?.privateDnsName;
  if (task.networkMode === "awsvpc" && privateDnsName) return privateDnsName;
  const definition = task.containers.find((container) => container.name === name);
  const configured = decodeDockerSettings(definition?.dockerConfig).config.Hostname;
  if (configured) return configured;
  if (task.networkMode === "host") return undefined;
  const digest = createHash("sha256").update(containerIdOf(task.arn, name)).digest("hex");
  return digest.slice(0, GENERATED_HOSTNAME_LENGTH);
}

/** What the files say, given the machine's own. Pure. */
export function etcFiles(
  task: AssignedTask,
  name: string,
  machine: EtcFiles,
  bridge: BridgeNeighbourhood = NO_BRIDGE,
): EtcFiles {
  const definition = task.containers.find((container) => container.name === name);
  const { hostConfig } = decodeDockerSettings(definition?.dockerConfig);
  const ownName = hostnameOf(task, name);
  const eni = task.networkMode === "awsvpc" ? task.elasticNetworkInterfaces?.[0] : undefined;
  const extraHosts = (hostConfig.ExtraHosts ?? []).map(extraHostLine);
  return {
    hosts:
      task.networkMode === "host"
        ? [machine.hosts.trimEnd(), ...extraHosts, ""].join("\n")
        : [
            ...HOSTS_HEAD,
            ...interfaceLines(eni, ownName),
            ...bridgeLines(task, bridge, ownName),
            ...extraHosts,
            "",
          ].join("\n"),
    hostname: ownName === undefined ? machine.hostname : `${ownName}\n`,
    "resolv.conf": resolvConf(hostConfig, eni, task.networkMode === "host", machine),
  };
}

function interfaceLines(
  eni: ElasticNetworkInterface | undefined,
  ownName: string | undefined,
): readonly string[] {
  const addresses = eni?.ipv4Addresses ?? [];
  const primary = addresses.find((address) => address.primary) ?? addresses[0];
  return primary === undefined || ownName === undefined
    ? []
    : [`${primary.privateAddress}\t${ownName}`];
}

/** As Docker writes them: the container itself, and each link by its alias, its host name and its name. */
function bridgeLines(
  task: AssignedTask,
  { address, links }: BridgeNeighbourhood,
  ownName: string | undefined,
): readonly string[] {
  return [
    ...(address === undefined || ownName === undefined ? [] : [`${address}\t${ownName}`]),
    ...links.map((link) => {
      const names = new Set([link.alias, hostnameOf(task, link.name) ?? link.name, link.name]);
      return `${link.address}\t${[...names].join(" ")}`;
    }),
  ];
}

/** Docker's `name:address`; the address may be IPv6 and hold colons itself. */
function extraHostLine(entry: string): string {
  const colon = entry.indexOf(":");
  return `${entry.slice(colon + 1)}\t${entry.slice(0, colon)}`;
}

/**
 * The definition's servers, else the interface's, else the machine's, of which those on its loopback are no use elsewhere; and
 * so with domains to search. The machine's options go with them, as in Docker: a VPC is the same on every machine.
 */
function resolvConf(
  { Dns, DnsSearch }: DockerSettings["hostConfig"],
  eni: ElasticNetworkInterface | undefined,
  onHostNetwork: boolean,
  machine: EtcFiles,
): string {
  const servers = [Dns, eni?.domainNameServers].find((list) => list && list.length > 0);
  const search = [DnsSearch, eni?.domainName].find((list) => list && list.length > 0);
  if (servers === undefined && search === undefined && onHostNetwork) return machine["resolv.conf"];
  const lines = machine["resolv.conf"].split("\n");
  const machineServers = lines.filter(
    (line) => isServer(line) && (onHostNetwork || !isLoopback(line)),
  );
  const ofMachine = (wanted: RegExp): readonly string[] =>
    eni === undefined ? lines.filter((line) => wanted.test(line)) : [];
  return [
    ...(servers?.map((address) => `nameserver ${address}`) ?? machineServers),
    ...(search === undefined ? ofMachine(/^(?:search|domain)\s/) : [`search ${search.join(" ")}`]),
    ...ofMachine(/^options\s/),
    "",
  ].join("\n");
}

function isServer(line: string): boolean {
  return line.startsWith("nameserver");
}

function isLoopback(nameserverLine: string): boolean {
  const address = nameserverLine.split(/\s+/)[1] ?? "";
  return isIPv4(address) ? address.startsWith("127.") : address === "::1";
}

function containerDirectory(directory: string, taskArn: string, name: string): string {
  return join(taskDirectory(directory, taskArn), containerIdOf(taskArn, name));
}

function taskDirectory(directory: string, taskArn: string): string {
  return join(directory, "tasks", taskIdOf(taskArn));
}

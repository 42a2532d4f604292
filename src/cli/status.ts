import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Settings } from "../config.ts";
import { type AwsJsonClient, createAwsJsonClient } from "../lib/aws-json-client.ts";
import { util } from "../lib/builtins.ts";
import { type Clock, systemClock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import { type ClientFile, readClientFile } from "./client-file.ts";
import { findProcess, type ProcessFile } from "./process-file.ts";

/** As systemctl and the LSB have it. */
const NOT_RUNNING = 3;
/** ECS: clusters of one DescribeClusters, and the default page of the lists. */
const PAGE_SIZE = 100;
/** Chosen. What is counted one by one; beyond, the number does not matter to a person. */
const COUNTED_MAX = 1000;

/** `gantry status`: what runs on a data directory. 0: it runs, 3: it does not, 1: it runs but does not answer. */
export async function status(settings: Settings): Promise<number> {
  const { dataDirectory } = settings;
  const running = await findProcess(dataDirectory);
  const disk = existsSync(dataDirectory) ? [row("data", await diskUse(dataDirectory))] : [];
  if (running === undefined) {
    process.stdout.write([`Gantry is not running on ${dataDirectory}`, ...disk, ""].join("\n"));
    return NOT_RUNNING;
  }
  const lines = processLines(running, systemClock);
  if (running.command === "node") {
    process.stdout.write([...lines, ...disk, ""].join("\n"));
    return 0;
  }
  try {
    // While it starts, the file is still that of the run before.
    const client = { ...(await readClientFile(dataDirectory)), endpoint: running.endpoint };
    lines.push(...workLines(client, await countWork(await connect(client))));
  } catch (error) {
    process.stdout.write([...lines, ...disk, ""].join("\n"));
    process.stderr.write(`gantry: it does not answer: ${messageOf(error)}\n`);
    return 1;
  }
  process.stdout.write([...lines, ...disk, ""].join("\n"));
  return 0;
}

const KINDS: Readonly<Record<ProcessFile["command"], string>> = {
  up: "server and node",
  server: "control plane alone",
  node: "capacity of a server elsewhere",
};

function processLines({ command, version, pid, endpoint, startedAt }: ProcessFile, clock: Clock) {
  const kind = KINDS[command];
  return [
    `Gantry ${version} is running (${kind})`,
    row("process", `${pid}, for ${duration(clock.now() - startedAt)}`),
    row("endpoint", endpoint),
  ];
}

async function connect(client: ClientFile): Promise<AwsJsonClient> {
  const { endpoint, region, authorityPath } = client;
  return createAwsJsonClient({
    endpoint,
    service: "ecs",
    targetPrefix: "AmazonEC2ContainerServiceV20141113",
    region,
    credentials: () => client,
    clock: systemClock,
    ca: authorityPath === undefined ? undefined : await readFile(authorityPath, "utf8"),
  });
}

/** What the account of the root key has in the region of its default VPC. */
interface Work {
  readonly clusters: number;
  readonly instances: number;
  readonly services: number;
  readonly running: number;
  readonly pending: number;
  /** Those that are still remembered. */
  readonly stopped: number;
}

interface ClusterCounts {
  readonly registeredContainerInstancesCount: number;
  readonly activeServicesCount: number;
  readonly runningTasksCount: number;
  readonly pendingTasksCount: number;
}

async function countWork(ecs: AwsJsonClient): Promise<Work> {
  const arns = await listArns(ecs, "ListClusters", {}, "clusterArns");
  const clusters: ClusterCounts[] = [];
  for (let at = 0; at < arns.length; at += PAGE_SIZE) {
    const input = { clusters: arns.slice(at, at + PAGE_SIZE) };
    const output = (await ecs.call("DescribeClusters", input)) as { clusters: ClusterCounts[] };
    clusters.push(...output.clusters);
  }
  let stopped = 0;
  for (const cluster of arns) {
    if (stopped >= COUNTED_MAX) break;
    const input = { cluster, desiredStatus: "STOPPED" };
    stopped += (await listArns(ecs, "ListTasks", input, "taskArns")).length;
  }
  const sum = (pick: (cluster: ClusterCounts) => number): number =>
    clusters.reduce((total, cluster) => total + pick(cluster), 0);
  return {
    clusters: clusters.length,
    instances: sum((cluster) => cluster.registeredContainerInstancesCount),
    services: sum((cluster) => cluster.activeServicesCount),
    running: sum((cluster) => cluster.runningTasksCount),
    pending: sum((cluster) => cluster.pendingTasksCount),
    stopped,
  };
}

/** At most {@link COUNTED_MAX} and a page. */
async function listArns(
  ecs: AwsJsonClient,
  operation: string,
  input: Readonly<Record<string, unknown>>,
  member: string,
): Promise<string[]> {
  const arns: string[] = [];
  let nextToken: unknown;
  do {
    const page = { ...input, ...(nextToken === undefined ? {} : { nextToken }) };
    const output = (await ecs.call(operation, page)) as Record<string, unknown>;
    arns.push(...(output[member] as string[]));
    nextToken = output.nextToken ?? undefined;
  } while (nextToken !== undefined && arns.length < COUNTED_MAX);
  return arns;
}

function workLines({ region }: ClientFile, work: Work): string[] {
  const stopped = work.stopped >= COUNTED_MAX ? `${COUNTED_MAX} or more` : work.stopped;
  return [
    row("region", region),
    row("clusters", String(work.clusters)),
    row("instances", String(work.instances)),
    row("services", String(work.services)),
    row("tasks", `${work.running} running, ${work.pending} pending, ${stopped} stopped`),
  ];
}

function row(name: string, value: string): string {
  return `  ${name.padEnd(12)}${value}`;
}

/** `/var/lib/gantry: 12 MiB (server 2 MiB, node 10 MiB), 20 GiB free`. */
async function diskUse(dataDirectory: string): Promise<string> {
  const parts = ["server", "node"].filter((name) => existsSync(join(dataDirectory, name)));
  const [total = 0, ...sizes] = await usedBytes(
    [".", ...parts].map((part) => join(dataDirectory, part)),
  );
  const { bavail, bsize } = await statfs(dataDirectory);
  const named = parts.map((part, index) => `${part} ${bytes(sizes[index] ?? 0)}`).join(", ");
  return `${dataDirectory}: ${bytes(total)} used${named === "" ? "" : ` (${named})`}, ${bytes(bavail * bsize)} free`;
}

/** By `du`, which knows of hard links, holes and mounts. Files that come and go meanwhile do not matter. */
async function usedBytes(paths: readonly string[]): Promise<number[]> {
  const sizes = paths.map(async (path) => {
    const run = util.promisify(execFile)("du", ["-sx", "--block-size=1", path]);
    const { stdout } = await run.catch((error: { stdout?: string }) => ({
      stdout: error.stdout ?? "",
    }));
    return Number.parseInt(stdout, 10) || 0;
  });
  return Promise.all(sizes);
}

function bytes(count: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** `3 d 4 h`, `2 min 10 s`: the two largest units. */
function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ] as const;
  const first = parts.findIndex(([value]) => value > 0);
  return parts
    .slice(first < 0 ? 3 : first)
    .slice(0, 2)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(" ");
}

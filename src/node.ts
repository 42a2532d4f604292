import { lookup } from "node:dns/promises";
import { arch, availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import { type Agent, createAgent } from "./agent/agent.ts";
import type { AgentConfig, ApiFactory, Credentials } from "./agent/agent-deps.ts";
import { machineDisk } from "./agent/disk.ts";
import { awsEndpointForTasks } from "./agent/endpoints/aws-endpoint.ts";
import { type EndpointServer, openEndpointServer } from "./agent/endpoints/endpoint-server.ts";
import { EndpointHub } from "./agent/endpoints/hub.ts";
import { type ImageCleanerDeps, runImageCleaner } from "./agent/image-cleaner.ts";
import { removeStrayNetworks } from "./agent/stray-networks.ts";
import type { Identity } from "./cli/data-directory.ts";
import { GANTRY_VERSION } from "./cli/version.ts";
import type { ImageSettings, RuntimeSettings } from "./config.ts";
import { runNodeFeed } from "./dataplane/feed.ts";
import { HomeNetwork } from "./dataplane/home-network.ts";
import { createDataplane, type NodeDataplane } from "./dataplane/linux-dataplane.ts";
import { FLEET_ACCOUNT_ID, FLEET_CLUSTER } from "./ecs/model/keys.ts";
import { createAwsJsonClient, createHttpSend } from "./lib/aws-json-client.ts";
import type { Clock } from "./lib/clock.ts";
import { type DiskWatch, readDiskRoom, watchDisk } from "./lib/disk-room.ts";
import { messageOf, SetupError } from "./lib/errors.ts";
import type { Log } from "./lib/log.ts";
import { openPrivateDirectory } from "./lib/private-directory.ts";
import type { Random } from "./lib/random.ts";
import { signRequest } from "./lib/sigv4.ts";
import { Supervisor } from "./lib/supervisor.ts";
import { dialWebSocket } from "./lib/websocket.ts";
import { NODE_FEED_PATH } from "./protocol/node-feed.ts";
import { loadContainerProfile } from "./runtime/apparmor.ts";
import { type ContainerdRuntime, createContainerdRuntime } from "./runtime/containerd.ts";
import { findExecutable } from "./runtime/executables.ts";
import {
  containerdPaths,
  removeOutsideFiles,
  requireListener,
  startContainerd,
} from "./runtime/private-containerd.ts";
import { runtimeProgram } from "./runtime/runtime-choice.ts";
import { watchUnseenExits } from "./runtime/unseen-exits.ts";
import { SETTINGS } from "./settings.ts";

interface NodePlace {
  readonly directory: string;
  readonly identity: Identity;
  readonly images?: ImageSettings;
  readonly clock: Clock;
  readonly log: Log;
}

export interface NodeOptions extends NodePlace {
  /** The server's door. */
  readonly endpoint: string;
  /** The certificate authority of the endpoint, PEM; undefined: a public one. */
  readonly ca: string | undefined;
  /** The account whose cluster this machine joins for the EC2 launch type. */
  readonly accountId: string;
  readonly region: string;
  /** Name of the cluster that this machine joins for the EC2 launch type. */
  readonly cluster: string;
  /** e.g. `us-east-1a`. */
  readonly availabilityZone: string;
  /** The IPv4 address at which other machines reach this one. */
  readonly address: string;
  /** This machine's present key in an account: asked at each call, so that a renewed one is used at once. */
  readonly keyFor: (accountId: string) => Credentials;
  readonly images: ImageSettings;
  readonly metricsIntervalMs: number;
  readonly runtimes: RuntimeSettings;
  readonly random: Random;
}

/** A machine at work. Disposing it lets go of everything but the containers and their network: those stay. */
export interface GantryNode extends AsyncDisposable {
  /** Resolves when both agents are connected, or `signal` aborts. Rejects when the node is broken. */
  connected(signal: AbortSignal): Promise<void>;
  runningContainers(): Promise<number>;
  /** Rejects when a loop is broken. */
  readonly failed: Promise<never>;
}

/** TCP ports that no task may have: ssh, Docker, the agent's own (the real agent's list). */
const RESERVED_PORTS = [22, 2375, 2376, 51_678, 51_679];
/** containerd's namespace: this containerd is ours alone, so the name only has to be told. */
const CONTAINERD_NAMESPACE = "gantry";
/** The room is chosen: what a task takes is mostly more. */
const NODE_DISK: Pick<DiskWatch, "consequence" | "leastBytes"> = {
  consequence:
    "tasks fail to start here, and what containers write may be lost; make room ('gantry image list', 'gantry image rm')",
  leastBytes: () => 32 * 2 ** 20,
};

/** Starts engine, network and both agents of this machine. */
export async function startNode(options: NodeOptions): Promise<GantryNode> {
  const log = options.log.child("node");
  await using starting = new AsyncDisposableStack();
  await requireRuntimes(options.runtimes);
  await openPrivateDirectory(options.directory);
  const containerd = await startEngine({ ...options, log });
  starting.defer(() => containerd.stop());
  await loadContainerProfile(log);
  const runtime = await openRuntime({ ...options, log });
  starting.defer(() => runtime.close());
  const endpoints = new EndpointHub();
  const endpointServer = starting.use(await openEndpoints({ ...options, log }, endpoints));
  const apiForward = await apiAddress(options.endpoint, log);
  const dataplane = createDataplane({
    systemId: options.identity.systemId,
    clock: options.clock,
    log,
    endpointPort: endpointServer.port,
    apiForward,
    // A machine that was told no other address has no others beside it.
    underlayAddress: options.address.startsWith("127.") ? undefined : options.address,
  });
  starting.defer(() => dataplane.close());

  const awsEndpoint = apiForward && (await openAwsEndpoint({ ...options, log }));
  const home = new HomeNetwork(dataplane);
  const shared = { ...options, log, runtime, dataplane, home, endpoints, awsEndpoint };
  const agents = [
    openAgent(shared, {
      label: "ec2",
      cluster: options.cluster,
      accountId: options.accountId,
    }),
    openAgent(shared, {
      label: "fargate",
      cluster: FLEET_CLUSTER,
      accountId: FLEET_ACCOUNT_ID,
    }),
  ];
  const loops = starting.use(new Supervisor(log));
  loops.start("containerd", (signal) => containerd.run(signal));
  loops.start("containers' output", (signal) => runtime.keepOutputs(signal));
  const disk = { ...NODE_DISK, directory: options.directory, clock: options.clock, log };
  loops.start("disk", (signal) => watchDisk(disk, signal));
  loops.start("node feed", (signal) => followFeed({ ...shared, dataplane: home }, signal));
  for (const { label, agent } of agents)
    loops.start(`${label} agent`, (signal) => agent.run(signal));
  const strays = { ...shared, agents: agents.map(({ agent }) => agent) };
  loops.start("stray networks", (signal) => removeStrayNetworks(strays, signal));
  startImageCleaner(loops, shared, () => agents.flatMap(({ agent }) => agent.tasks()));
  const running = starting.move();
  return {
    connected: async (signal) => {
      const both = Promise.all(agents.map(({ agent }) => agent.connected(signal))).then(
        () => undefined,
      );
      await Promise.race([both, loops.failed]);
    },
    runningContainers: async () =>
      (await runtime.list()).filter(({ status }) => status === "running").length,
    failed: loops.failed,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** A containerd of this node's own. */
function startEngine({
  clock,
  directory,
  log,
}: Pick<NodeOptions, "clock" | "directory" | "log">): ReturnType<typeof startContainerd> {
  return startContainerd({
    directory: join(directory, "containerd"),
    log,
    clock,
    beforeStart: ({ state }) =>
      watchUnseenExits({
        containerdState: state,
        namespace: CONTAINERD_NAMESPACE,
        stateDirectory: runtimeDirectory(directory),
        clock,
        log,
      }),
  });
}

/** What is not there would be noticed by the first task only. Throws SetupError. */
async function requireRuntimes(runtimes: RuntimeSettings): Promise<void> {
  for (const [choice, name] of [
    [runtimes.ec2, "runtimeEc2"],
    [runtimes.fargate, "runtimeFargate"],
  ] as const) {
    const program = runtimeProgram(choice);
    if ((await findExecutable(program)) !== undefined) continue;
    const { flag, variable } = SETTINGS[name];
    throw new SetupError(
      `--${flag} (${variable}) is ${choice}, but there is no program ${program} on this machine`,
    );
  }
}

/** The engine of a running node, for commands beside it. Throws UnavailableError when none runs. */
export async function connectRuntime(
  place: NodePlace,
): Promise<ContainerdRuntime & AsyncDisposable> {
  await requireListener(containerdPaths(join(place.directory, "containerd")).socket);
  const runtime = await openRuntime(place);
  return Object.assign(runtime, { [Symbol.asyncDispose]: () => runtime.close() });
}

/** Removes every container and network of a node that does not run. */
export async function removeNode(place: NodePlace): Promise<void> {
  const directory = join(place.directory, "containerd");
  await removeContainersAndNetwork(place, directory);
  await removeOutsideFiles(directory);
}

async function removeContainersAndNetwork(place: NodePlace, directory: string): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const dataplane: NodeDataplane = createDataplane({ ...place, systemId: place.identity.systemId });
  stack.defer(() => dataplane.close());
  const containerd = await startContainerd({ ...place, directory });
  stack.defer(() => containerd.stop());
  const runtime = stack.use(await connectRuntime(place));
  for (const { id } of await runtime.list()) await runtime.remove(id);
  for (const key of await runtime.listTaskStorage()) await runtime.removeTaskStorage(key);
  await dataplane.removeAll();
}

function runtimeDirectory(nodeDirectory: string): string {
  return join(nodeDirectory, "runtime");
}

function openRuntime(place: NodePlace): Promise<ContainerdRuntime> {
  const { directory, identity, images, clock, log } = place;
  return createContainerdRuntime({
    socketPath: containerdPaths(join(directory, "containerd")).socket,
    namespace: CONTAINERD_NAMESPACE,
    cgroupParent: `/gantry-${identity.systemId}`,
    stateDirectory: runtimeDirectory(directory),
    registries: {
      loginFile: images?.loginFile,
      insecure: images?.insecureRegistries ?? [],
      proxyEnv: process.env,
    },
    clock,
    log,
  });
}

/** Before any task's network: that leads to the server's port. */
function openEndpoints(
  { directory, clock, log }: Pick<NodeOptions, "directory" | "clock" | "log">,
  hub: EndpointHub,
): Promise<EndpointServer> {
  const portFile = join(directory, "endpoint-port");
  return openEndpointServer({ hub, disk: machineDisk, portFile, clock, log });
}

/** Where the server's door is for packets: rules know neither names nor, here, IPv6. Undefined when it has no such address. */
async function apiAddress(
  endpoint: string,
  log: Log,
): Promise<{ address: string; port: number } | undefined> {
  const { hostname, port, protocol } = new URL(endpoint);
  try {
    const { address } = await lookup(hostname, { family: 4 });
    return { address, port: Number(port) || (protocol === "https:" ? 443 : 80) };
  } catch (error) {
    const reason = messageOf(error);
    log.warn("tasks cannot reach the server: it has no IPv4 address", { hostname, reason });
    return undefined;
  }
}

/** Where this machine's tasks find the door. */
function openAwsEndpoint({
  directory,
  endpoint,
  ca,
  log,
}: NodeOptions): ReturnType<typeof awsEndpointForTasks> {
  const caBundlePath = join(directory, "ca-bundle.pem");
  return awsEndpointForTasks({ endpoint, ca, caBundlePath, disk: machineDisk, log });
}

/** ECS agent: one that prefers the images that are here keeps them all. */
function startImageCleaner(
  loops: Supervisor,
  { clock, directory, images, log, runtime }: Shared,
  tasks: ImageCleanerDeps["tasks"],
): void {
  const { cleanupAgeMs: minAgeMs, pullBehavior } = images;
  if (minAgeMs === undefined || pullBehavior === "prefer-cached") return;
  const diskUse = async (): Promise<number> => (await readDiskRoom(directory)).usedShare;
  const cleaner = { runtime, tasks, diskUse, minAgeMs, clock, log };
  loops.start("image cleaner", (signal) => runImageCleaner(cleaner, signal));
}

export type FeedOptions = Pick<
  NodeOptions,
  "endpoint" | "ca" | "identity" | "region" | "clock" | "keyFor" | "random" | "log"
> & { readonly dataplane: Pick<NodeDataplane, "apply"> };

interface Shared extends NodeOptions {
  readonly runtime: ContainerdRuntime;
  readonly dataplane: NodeDataplane;
  readonly home: HomeNetwork;
  readonly endpoints: EndpointHub;
  readonly awsEndpoint: AgentConfig["awsEndpoint"];
}

function openAgent(
  shared: Shared,
  registration: { label: "ec2" | "fargate"; cluster: string; accountId: string },
): { label: string; agent: Agent } {
  const { label, cluster, accountId } = registration;
  const directory = join(shared.directory, `agent-${label}`);
  const agent = createAgent({
    runtime: shared.runtime,
    dataplane: shared.dataplane,
    api: apiFactory(shared),
    dial: (url, headers, signal) => dialWebSocket(url, headers, signal, { ca: shared.ca }),
    clock: shared.clock,
    random: shared.random,
    log: shared.log.child(label),
    disk: machineDisk,
    endpoints: shared.endpoints,
    directory,
    volumesDirectory: join(shared.directory, "volumes"),
    credentials: () => shared.keyFor(accountId),
    vpcId: () => shared.home.homeOf(accountId, shared.availabilityZone)?.vpcId,
    config: {
      cluster,
      region: shared.region,
      availabilityZone: shared.availabilityZone,
      accountId,
      ec2InstanceId: shared.identity.ec2InstanceId,
      instanceType: "gantry.local",
      privateIp: shared.address,
      architecture: arch() as NodeJS.Architecture,
      cpuUnits: availableParallelism() * 1024,
      memoryMiB: Math.floor(totalmem() / 2 ** 20),
      reservedPorts: RESERVED_PORTS,
      runtime: shared.runtimes[label],
      label,
      comesBack: label === "fargate",
      version: GANTRY_VERSION,
      awsEndpoint: shared.awsEndpoint,
      metricsIntervalMs: shared.metricsIntervalMs,
      imagePullBehavior: shared.images.pullBehavior,
    },
  });
  return { label, agent };
}

const TARGET_PREFIX = {
  ecs: "AmazonEC2ContainerServiceV20141113",
  logs: "Logs_20140328",
  secretsmanager: "secretsmanager",
  ssm: "AmazonSSM",
  ecr: "AmazonEC2ContainerRegistry_V20150921",
};

function apiFactory({ endpoint, ca, clock }: Shared): ApiFactory {
  // One pool for all clients of an agent: each task has some.
  const send = createHttpSend(ca);
  return (target, credentials) =>
    createAwsJsonClient({
      endpoint: target.endpoint ?? endpoint,
      service: target.service,
      targetPrefix: TARGET_PREFIX[target.service],
      region: target.region,
      credentials,
      clock,
      send,
    });
}

/** Keeps a dataplane as the server's feed says, until `signal` aborts. */
export function followFeed(options: FeedOptions, signal: AbortSignal): Promise<void> {
  const { endpoint, ca, identity, region, clock, keyFor } = options;
  const url = new URL(NODE_FEED_PATH, endpoint.replace(/^http/, "ws"));
  url.searchParams.set("ec2InstanceId", identity.ec2InstanceId);
  const dial: Parameters<typeof runNodeFeed>[0]["dial"] = (abort) => {
    const headers = signRequest({
      method: "GET",
      url,
      credentials: keyFor(FLEET_ACCOUNT_ID),
      service: "ecs",
      region,
      now: clock.now(),
    });
    return dialWebSocket(url.href, headers, abort, { ca });
  };
  return runNodeFeed({ ...options, dial }, signal);
}

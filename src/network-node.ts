/**
 * The composition root of a machine whose tasks an amazon-ecs-agent runs. As in AWS the network is not the agent's business:
 * interfaces come from here, and so does the instance metadata without which that agent does not start.
 */
import { createHash } from "node:crypto";
import { arch, networkInterfaces } from "node:os";
import { join } from "node:path";
import { machineDisk } from "./agent/disk.ts";
import type { InstanceFacts } from "./agent/endpoints/instance-metadata.ts";
import { openMetadataServer } from "./agent/endpoints/metadata-server.ts";
import { writeAgentEnvironment } from "./cli/ecs-agent-environment.ts";
import { aborted } from "./cli/foreground.ts";
import { HomeNetwork } from "./dataplane/home-network.ts";
import { createDataplane } from "./dataplane/linux-dataplane.ts";
import { zoneIdOf } from "./ec2/model/zones.ts";
import { openPrivateDirectory } from "./lib/private-directory.ts";
import { Supervisor } from "./lib/supervisor.ts";
import { type FeedOptions, followFeed, type GantryNode, type NodeOptions } from "./node.ts";
import type { NodeNetwork } from "./protocol/node-feed.ts";

export type NetworkNodeOptions = Omit<FeedOptions, "dataplane"> &
  Pick<NodeOptions, "accountId" | "cluster" | "availabilityZone" | "address"> & {
    /** Where this machine keeps what it knows. */
    readonly directory: string;
    /** Where the agent's variables go. */
    readonly environmentDirectory: string;
    /** Epoch milliseconds: how long the present keys are good for at least. */
    readonly keysUntil: () => number;
  };

/** EC2's name for what a machine is; the same that Gantry's own agent gives. */
const INSTANCE_TYPE = "gantry.local";
/** The machine's built-in role. */
const ROLE_NAME = "gantry-node";
/** Chosen: whoever has been told the keys asks again so often, and notices a new one. */
const KEYS_MS_MAX = 3_600_000;
/** Locally administered, of nobody: the agent only looks up by it what else is asked for. */
const NO_MAC = "02:00:00:00:00:01";

/** Starts the network of this machine, then the metadata. Disposing it lets the interfaces stand. */
export async function startNetworkNode(options: NetworkNodeOptions): Promise<GantryNode> {
  const { address, clock, identity } = options;
  const log = options.log.child("node");
  await using starting = new AsyncDisposableStack();
  await openPrivateDirectory(options.directory);
  const dataplane = createDataplane({
    systemId: identity.systemId,
    clock,
    log,
    underlayAddress: address.startsWith("127.") ? undefined : address,
    offersInterfaces: true,
  });
  starting.defer(() => dataplane.close());
  const network = new HomeNetwork(dataplane);
  const made = Promise.withResolvers<void>();
  const ready = Promise.withResolvers<void>();
  const apply = async (newest: NodeNetwork): Promise<void> => {
    await network.apply(newest);
    made.resolve();
  };
  const loops = starting.use(new Supervisor(log));
  loops.start("node feed", (signal) =>
    followFeed({ ...options, log, dataplane: { apply } }, signal),
  );
  loops.start("metadata", async (signal) => {
    // The agent asks where it is as soon as it starts, and ends when it hears nothing.
    await Promise.race([made.promise, aborted(signal)]);
    if (signal.aborted) return;
    await using metadata = await openMetadata({ ...options, log }, network);
    await writeAgentEnvironment({
      ...options,
      directory: options.environmentDirectory,
      metadataPort: metadata.port,
    });
    ready.resolve();
    await aborted(signal);
  });
  const running = starting.move();
  return {
    connected: (signal) => Promise.race([ready.promise, loops.failed, aborted(signal)]),
    // The agent's containers are not ours to count.
    runningContainers: async () => 0,
    failed: loops.failed,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Removes the network of such a machine, which does not run. */
export async function removeNetwork(
  place: Pick<NetworkNodeOptions, "clock" | "identity" | "log">,
): Promise<void> {
  await createDataplane({ ...place, systemId: place.identity.systemId }).removeAll();
}

function openMetadata(
  options: NetworkNodeOptions,
  network: HomeNetwork,
): ReturnType<typeof openMetadataServer> {
  return openMetadataServer({
    facts: () => factsOf(options, network),
    token: tokenOf(options.identity),
    disk: machineDisk,
    portFile: join(options.directory, "metadata-port"),
    log: options.log,
  });
}

function factsOf(options: NetworkNodeOptions, network: HomeNetwork): InstanceFacts {
  const { accountId, address, availabilityZone, clock, identity, keyFor, keysUntil } = options;
  return {
    ec2InstanceId: identity.ec2InstanceId,
    accountId,
    region: options.region,
    availabilityZone,
    availabilityZoneId: zoneIdOf(availabilityZone),
    instanceType: INSTANCE_TYPE,
    privateIp: address,
    macAddress: macAddressOf(address),
    architecture: arch() === "arm64" ? "arm64" : "x86_64",
    home: network.homeOf(accountId, availabilityZone),
    roleName: ROLE_NAME,
    credentials: keyFor(accountId),
    credentialsUntil: Math.min(clock.now() + KEYS_MS_MAX, keysUntil()),
  };
}

function macAddressOf(address: string): string {
  const links = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return links.find((link) => link.address === address)?.mac ?? NO_MAC;
}

/**
 * The same over restarts, since clients keep one for hours. It is no secret from who is on the machine: what protects is that it
 * has to be sent in a header.
 */
function tokenOf({ ec2InstanceId, systemId }: NetworkNodeOptions["identity"]): string {
  return createHash("sha256").update(`metadata ${systemId} ${ec2InstanceId}`).digest("base64url");
}

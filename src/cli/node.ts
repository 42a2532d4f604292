import { join } from "node:path";
import type { Settings } from "../config.ts";
import { systemClock } from "../lib/clock.ts";
import { messageOf, SetupError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { systemRandom } from "../lib/random.ts";
import { Supervisor } from "../lib/supervisor.ts";
import { dialWebSocket } from "../lib/websocket.ts";
import { startNetworkNode } from "../network-node.ts";
import { type GantryNode, startNode } from "../node.ts";
import { ALREADY_JOINED } from "../protocol/node-join.ts";
import type { Invocation } from "./command.ts";
import { type Identity, openDataDirectory } from "./data-directory.ts";
import { aborted, enterForeground } from "./foreground.ts";
import { FreshKeys } from "./fresh-keys.ts";
import { refuseUnfitHost } from "./host-fitness.ts";
import { joinServer, type Machine } from "./join.ts";
import { type JoinToken, parseJoinToken } from "./join-token.ts";
import { addressOnceReachable } from "./machine-address.ts";
import { type Membership, readMembership, writeMembership } from "./membership.ts";
import { announceProcess, findProcess, registriesOf } from "./process-file.ts";
import { unit } from "./unit.ts";
import { reportWhatStays } from "./what-stays.ts";

/** `gantry node`: this machine as capacity of a server elsewhere, until it is asked to stop. Containers outlive it. */
export async function node({ settings, switches }: Invocation): Promise<number> {
  if (switches.has("print-unit")) return unit("node", settings);
  const { log, stop } = enterForeground(settings.logLevel);
  const { dataDirectory } = settings;
  const isBesideAgent = settings.agent === "amazon-ecs-agent";
  await refuseUnfitHost(dataDirectory, isBesideAgent ? "network" : "containers");
  await refuseTaken(dataDirectory);
  const joined = await membershipOf(settings, stop);
  const { identity } = joined;
  const machine = machineOf(settings, identity, joined.membership.ca);
  const keys = new FreshKeys(joined.membership, machine, log);
  await using loops = new Supervisor(log);
  await using running = await openNode(settings, identity, keys, log, stop);
  if (running === undefined) return 0;
  // Whoever has been told the present keys counts on them: they are not replaced at once.
  loops.start("key renewal", (signal) => keys.run(signal, isBesideAgent ? "later" : "now"));
  const { endpoint } = keys.membership;
  using _announced = await announceProcess(
    dataDirectory,
    { command: "node", endpoint, registries: registriesOf(settings) },
    systemClock,
  );
  await running.connected(stop);
  if (!stop.aborted) {
    process.stdout.write(`\nThis machine works for ${endpoint} as ${identity.ec2InstanceId}.\n`);
    process.stdout.write(isBesideAgent ? howToStart(dataDirectory) : "\n");
    await Promise.race([aborted(stop), running.failed, loops.failed]);
  }
  log.info("stopping");
  await reportWhatStays(running, log);
  return 0;
}

function howToStart(dataDirectory: string): string {
  return `Start the amazon-ecs-agent with the variables in ${join(dataDirectory, "ecs-agent.env")}.\n\n`;
}

async function refuseTaken(dataDirectory: string): Promise<void> {
  const running = await findProcess(dataDirectory);
  if (running === undefined) return;
  throw new SetupError(
    `another Gantry (process ${running.pid}, 'gantry ${running.command}') runs on ${dataDirectory}: stop it, or choose another data directory with --data-dir or GANTRY_DATA_DIR`,
  );
}

interface Joined {
  readonly identity: Identity;
  readonly membership: Membership;
}

/** What this data directory has joined; by the token, if it has not yet. Throws SetupError. */
async function membershipOf(settings: Settings, stop: AbortSignal): Promise<Joined> {
  const { dataDirectory, join: text } = settings;
  const present = await readMembership(dataDirectory);
  const token = text === undefined ? undefined : parseJoinToken(text);
  if (present !== undefined) {
    // A unit file goes on saying --join after it has been of use.
    if (token !== undefined && token.endpoint !== present.endpoint) {
      throw new SetupError(
        `this machine has joined ${present.endpoint} and the token is for ${token.endpoint}: choose an empty data directory for it with --data-dir or GANTRY_DATA_DIR`,
      );
    }
    return { identity: await openDataDirectory(dataDirectory, systemRandom), membership: present };
  }
  if (token === undefined) {
    throw new SetupError(
      "this machine has joined no server: run 'gantry token' on the server's machine and give the line it prints with --join or GANTRY_JOIN",
    );
  }
  const identity = await openDataDirectory(dataDirectory, systemRandom);
  const machine = machineOf(settings, identity, token.ca);
  try {
    return { identity, membership: await joinServer(token, machine, stop) };
  } catch (error) {
    throw cannotJoin(token, dataDirectory, error);
  }
}

function cannotJoin({ endpoint }: JoinToken, dataDirectory: string, cause: unknown): SetupError {
  const cure = messageOf(cause).includes(String(ALREADY_JOINED))
    ? `remove ${join(dataDirectory, "identity.json")} and try again`
    : "a token is good for an hour: make a new one with 'gantry token' on the server's machine";
  return new SetupError(`cannot join ${endpoint}: ${messageOf(cause)}; ${cure}`, { cause });
}

/** `ca`: PEM of the authority that the server's certificate is of, if it is a private one. */
function machineOf(
  { dataDirectory }: Settings,
  { ec2InstanceId }: Identity,
  ca: string | undefined,
): Machine {
  return {
    ec2InstanceId,
    clock: systemClock,
    dial: (url, headers, signal) => dialWebSocket(url, headers, signal, { ca }),
    save: (membership) => writeMembership(dataDirectory, membership),
  };
}

async function openNode(
  settings: Settings,
  identity: Identity,
  keys: FreshKeys,
  log: Log,
  stop: AbortSignal,
): Promise<GantryNode | undefined> {
  const { endpoint, ca, accountId, region } = keys.membership;
  const shared = {
    identity,
    endpoint,
    ca,
    accountId,
    region,
    cluster: settings.cluster,
    availabilityZone: settings.zone ?? `${region}a`,
    keyFor: (account: string) => keys.of(account),
    clock: systemClock,
    random: systemRandom,
    log,
  };
  const address = settings.advertise ?? (await addressOnceReachable(endpoint, shared, stop));
  if (address === undefined) return undefined;
  if (settings.agent === "amazon-ecs-agent") {
    const keysUntil = (): number => keys.renewsAt;
    const { dataDirectory } = settings;
    const directory = join(dataDirectory, "network");
    const environmentDirectory = dataDirectory;
    return startNetworkNode({ ...shared, address, directory, environmentDirectory, keysUntil });
  }
  return startNode({
    ...shared,
    address,
    directory: join(settings.dataDirectory, "node"),
    images: settings.images,
    metricsIntervalMs: settings.metricsIntervalMs,
    runtimes: settings.runtimes,
  });
}

import { join } from "node:path";
import type { Settings } from "../config.ts";
import { FLEET_ACCOUNT_ID } from "../ecs/model/keys.ts";
import { systemClock } from "../lib/clock.ts";
import { assert } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { systemRandom } from "../lib/random.ts";
import type { GantryNode } from "../node.ts";
import { spawnJournalThread } from "../store/sqlite-spawn.ts";
import type { Invocation } from "./command.ts";
import type { ControlPlane } from "./control-plane.ts";
import { readIdentity } from "./data-directory.ts";
import { aborted, enterForeground } from "./foreground.ts";
import { refuseUnfitHost } from "./host-fitness.ts";
import { addressTowards } from "./machine-address.ts";
import { unit } from "./unit.ts";
import { reportWhatStays } from "./what-stays.ts";

/** `gantry up`: server and node in this process, until it is asked to stop. Containers outlive it. */
export async function up({ settings, switches }: Invocation): Promise<number> {
  if (switches.has("print-unit")) return unit("up", settings);
  const { log, stop } = enterForeground(settings.logLevel);
  const journalThread = spawnJournalThread();
  // The checks of the machine run other programs. Where a start makes something new they come first, while modules load; else the door
  // has the processor to itself until it is open.
  const isNew = !(await isInUse(settings.dataDirectory));
  const checked = isNew ? refuseUnfitHost(settings.dataDirectory) : undefined;
  checked?.catch(() => undefined);
  const { openControlPlane } = await import("./control-plane.ts");
  await checked;
  await using plane = await openControlPlane(settings, { command: "up", journalThread, log });
  if (!isNew) await refuseUnfitHost(settings.dataDirectory);
  await using node = await openNode(settings, plane, log);
  await Promise.race([node.connected(stop), plane.server.failed]);
  if (!stop.aborted) {
    await plane.announce("Gantry is ready.");
    await Promise.race([aborted(stop), plane.server.failed, node.failed]);
  }
  log.info("stopping");
  await reportWhatStays(node, log);
  return 0;
}

/** The node's modules (gRPC among them) are loaded only now: the door answers already. */
async function openNode(settings: Settings, plane: ControlPlane, log: Log): Promise<GantryNode> {
  const { startNode } = await import("../node.ts");
  const { server, identity, tls } = plane;
  const { accountId, region } = settings;
  const keys = new Map(
    await Promise.all(
      [accountId, FLEET_ACCOUNT_ID].map(
        async (account) =>
          [account, await server.createNodeKey(account, identity.ec2InstanceId)] as const,
      ),
    ),
  );
  return startNode({
    directory: join(settings.dataDirectory, "node"),
    identity,
    endpoint: server.endpoint,
    ca: tls?.authority?.pem,
    accountId,
    region,
    cluster: settings.cluster,
    availabilityZone: settings.zone ?? `${region}a`,
    address: settings.advertise ?? (await addressTowards(server.endpoint)),
    images: settings.images,
    metricsIntervalMs: settings.metricsIntervalMs,
    runtimes: settings.runtimes,
    keyFor: (account) => {
      const key = keys.get(account);
      assert(key, `this machine has no key in account ${account}`);
      return key;
    },
    clock: systemClock,
    random: systemRandom,
    log,
  });
}

/** Whether a Gantry has been started on it that this user may start again. */
async function isInUse(dataDirectory: string): Promise<boolean> {
  return readIdentity(dataDirectory).then(
    (identity) => identity !== undefined,
    () => false,
  );
}

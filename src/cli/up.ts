import { join } from "node:path";
import type { Settings } from "../config.ts";
import { systemClock } from "../lib/clock.ts";
import { SetupError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { systemRandom } from "../lib/random.ts";
import type { GantryNode } from "../node.ts";
import type { Invocation } from "./command.ts";
import type { ControlPlane } from "./control-plane.ts";
import { nearestExisting, readIdentity } from "./data-directory.ts";
import { aborted, enterForeground } from "./foreground.ts";
import { unit } from "./unit.ts";

/** `gantry up`: server and node in this process, until it is asked to stop. Containers outlive it. */
export async function up({ settings, switches }: Invocation): Promise<number> {
  if (switches.has("print-unit")) return unit("up", settings);
  const { log, stop } = enterForeground(settings.logLevel);
  // These wait for other programs: meanwhile modules load, and the door opens where that makes nothing new.
  const checked = refuseUnfitHost(settings.dataDirectory);
  checked.catch(() => undefined);
  const { openControlPlane } = await import("./control-plane.ts");
  if (!(await isInUse(settings.dataDirectory))) await checked;
  await using plane = await openControlPlane(settings, { command: "up", log });
  await checked;
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
  return startNode({
    directory: join(settings.dataDirectory, "node"),
    identity,
    endpoint: server.endpoint,
    ca: tls?.authority?.pem,
    accountId: settings.accountId,
    region: settings.region,
    keyFor: (accountId) => server.createNodeKey(accountId, identity.ec2InstanceId),
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

async function refuseUnfitHost(dataDirectory: string): Promise<void> {
  const { checkHost } = await import("../runtime/host-checks.ts");
  const directory = await nearestExisting(dataDirectory);
  const failed = (await checkHost({ directory })).filter(({ ok }) => !ok);
  if (failed.length === 0) return;
  // Without root the other checks fail too, and their cures would mislead.
  const [root] = failed.filter(({ name }) => name === "root");
  const lines = (root ? [root] : failed).map(
    ({ name, problem, remedy }) => `  ${name}: ${problem}${remedy ? `; ${remedy}` : ""}`,
  );
  throw new SetupError(`this machine cannot run containers:\n${lines.join("\n")}`);
}

async function reportWhatStays(node: GantryNode, log: Log): Promise<void> {
  const count = await node.runningContainers();
  if (count > 0) {
    log.info(
      `${count} ${count === 1 ? "container keeps" : "containers keep"} running; the next start adopts them, 'gantry down' removes them`,
    );
  }
}

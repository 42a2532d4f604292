import { createServer } from "node:net";
import { join } from "node:path";
import type { Settings } from "../config.ts";
import { hostRoutes } from "../dataplane/host-routes.ts";
import { chooseVpcCidr } from "../dataplane/vpc-cidr.ts";
import { systemClock } from "../lib/clock.ts";
import { SetupError } from "../lib/errors.ts";
import { createLog, type Log } from "../lib/log.ts";
import { systemRandom } from "../lib/random.ts";
import { type GantryNode, startNode } from "../node.ts";
import { checkHost } from "../runtime/host-checks.ts";
import { type Server, startServer } from "../server.ts";
import { writeClientFile } from "./client-file.ts";
import { type Identity, openDataDirectory } from "./data-directory.ts";
import { shellQuote } from "./env.ts";
import { outliveReader, stopSignal } from "./stop-signal.ts";

/** `gantry up`: server and node in this process, until it is asked to stop. Containers outlive it. */
export async function up(settings: Settings): Promise<number> {
  const log = createLog({
    clock: systemClock,
    level: settings.logLevel,
    write: (line) => process.stderr.write(line),
  });
  for (const stream of [process.stdout, process.stderr]) outliveReader(stream);
  const stop = stopSignal({
    signals: process,
    clock: systemClock,
    log,
    exit: () => process.exit(1),
  });
  await refuseUnfitHost();
  // Before anything is made on disk, so that a taken port changes nothing.
  await refuseTakenPort(settings.listen);
  const identity = await openDataDirectory(settings.dataDirectory, systemRandom);
  await using server = await startServer({
    directory: join(settings.dataDirectory, "server"),
    listen: settings.listen,
    accountId: settings.accountId,
    region: settings.region,
    rootKey: settings.rootKey,
    chooseVpcCidr: async () => settings.vpcCidr ?? chooseVpcCidr(await hostRoutes()),
    clock: systemClock,
    random: systemRandom,
    log,
  });
  await using node = await startNode({
    directory: join(settings.dataDirectory, "node"),
    identity,
    endpoint: server.endpoint,
    accountId: settings.accountId,
    region: settings.region,
    keyFor: (accountId) => server.createNodeKey(accountId, identity.ec2InstanceId),
    clock: systemClock,
    random: systemRandom,
    log,
  });
  await Promise.race([node.connected(stop), server.failed]);
  if (!stop.aborted) {
    await announce(settings, identity, server);
    await Promise.race([aborted(stop), server.failed, node.failed]);
  }
  log.info("stopping");
  await reportWhatStays(node, log);
  return 0;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

async function refuseUnfitHost(): Promise<void> {
  const failed = (await checkHost()).filter(({ ok }) => !ok);
  if (failed.length === 0) return;
  const lines = failed.map(
    ({ name, problem, remedy }) => `  ${name}: ${problem}${remedy ? `; ${remedy}` : ""}`,
  );
  throw new SetupError(`this machine cannot run containers:\n${lines.join("\n")}`);
}

async function refuseTakenPort({ host, port }: Settings["listen"]): Promise<void> {
  const probe = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once("error", reject);
      probe.listen(port, host, resolve);
    });
  } catch (cause) {
    throw new SetupError(
      `cannot listen on ${host}:${port} (${(cause as NodeJS.ErrnoException).code}): stop what uses it, or choose another with --listen or GANTRY_LISTEN`,
      { cause },
    );
  } finally {
    await new Promise((resolve) => probe.close(resolve));
  }
}

async function announce(settings: Settings, identity: Identity, server: Server): Promise<void> {
  await writeClientFile(settings.dataDirectory, {
    endpoint: server.endpoint,
    region: settings.region,
    accessKeyId: server.rootKey.accessKeyId,
    secretAccessKey: server.rootKey.secretAccessKey,
    subnetIds: server.subnetIds,
  });
  const flag =
    settings.dataDirectory === "/var/lib/gantry"
      ? ""
      : ` --data-dir ${shellQuote(settings.dataDirectory)}`;
  process.stdout.write(
    [
      "",
      `Gantry is ready.  endpoint ${server.endpoint}   data ${settings.dataDirectory}   system ${identity.systemId}`,
      "In another terminal, in this directory:",
      "",
      `  eval "$(npx gantry env${flag})"`,
      "  aws ecs describe-clusters",
      "",
      "",
    ].join("\n"),
  );
}

async function reportWhatStays(node: GantryNode, log: Log): Promise<void> {
  const count = await node.runningContainers();
  if (count > 0) {
    log.info(
      `${count} containers keep running; the next start adopts them, 'gantry down' removes them`,
    );
  }
}

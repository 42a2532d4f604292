import { createServer } from "node:net";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import type { Settings } from "../config.ts";
import { systemClock } from "../lib/clock.ts";
import { messageOf, SetupError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { systemRandom } from "../lib/random.ts";
import { type Server, startServer } from "../server.ts";
import { SETTINGS } from "../settings.ts";
import { writeClientFile } from "./client-file.ts";
import { type Identity, openDataDirectory } from "./data-directory.ts";
import { shellQuote } from "./env.ts";
import { readMembership } from "./membership.ts";
import { announceProcess, registriesOf } from "./process-file.ts";
import { PROGRAM } from "./program.ts";
import { type DoorTls, loadTls } from "./tls.ts";

/** What `gantry up` and `gantry server` share: a server on a data directory, its door open. */
export interface ControlPlane extends AsyncDisposable {
  readonly server: Server;
  readonly identity: Identity;
  readonly tls: DoorTls | undefined;
  /** Tells the other commands, and whoever reads stdout, that it is ready. */
  announce(what: string): Promise<void>;
}

/** Checks what can be checked before anything is made on disk, then opens the door. Throws SetupError. */
export async function openControlPlane(
  settings: Settings,
  options: {
    readonly command: "up" | "server";
    readonly journalThread: Worker;
    readonly log: Log;
  },
): Promise<ControlPlane> {
  const { command, journalThread, log } = options;
  const { dataDirectory, listen, endpointHost, accountId, region, rootKey } = settings;
  await refuseNodeDirectory(dataDirectory);
  await refuseTakenPort(listen);
  // A given certificate is read before anything is made; one of our own is made under the store's lock.
  const given = settings.tls.kind === "files" ? await loadTls(settings, systemClock) : undefined;
  const identity = await openDataDirectory(dataDirectory, systemRandom);
  await using starting = new AsyncDisposableStack();
  let tls: DoorTls | undefined;
  const server = starting.use(
    await startServer({
      directory: join(dataDirectory, "server"),
      journalThread,
      listen,
      endpointHost,
      loadTls: async () => {
        tls = given ?? (await loadTls(settings, systemClock));
        return tls;
      },
      accountId,
      region,
      rootKey,
      taskRetentionMs: settings.taskRetentionMs,
      nodeLossAfterMs: settings.nodeLossAfterMs,
      vpcCidr: settings.vpcCidr,
      chooseVpcCidr: () => freeVpcCidr(log),
      clock: systemClock,
      random: systemRandom,
      log,
    }),
  );
  const { endpoint } = server;
  const registries = command === "up" ? { registries: registriesOf(settings) } : {};
  starting.use(
    await announceProcess(dataDirectory, { command, endpoint, ...registries }, systemClock),
  );
  const running = starting.move();
  return {
    server,
    identity,
    tls,
    announce: async (what) => {
      await writeClientFile(dataDirectory, {
        endpoint,
        region,
        accessKeyId: server.rootKey.accessKeyId,
        secretAccessKey: server.rootKey.secretAccessKey,
        subnetIds: server.subnetIds,
        authorityPath: tls?.authority?.path,
      });
      process.stdout.write(readyText(settings, `${what}  endpoint ${endpoint}`, identity));
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Its machine belongs to another server: two of them would start and stop each other's containers. */
async function refuseNodeDirectory(dataDirectory: string): Promise<void> {
  const membership = await readMembership(dataDirectory);
  if (membership === undefined) return;
  throw new SetupError(
    `${dataDirectory} belongs to a node of ${membership.endpoint}: start it with 'gantry node', or choose another data directory with --data-dir or GANTRY_DATA_DIR`,
  );
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

/** Loaded only at the first start. A machine without `ip` runs no containers, so its routes do not matter. */
async function freeVpcCidr(log: Log): Promise<string> {
  const [{ hostRoutes }, { chooseVpcCidr }] = await Promise.all([
    import("../dataplane/host-routes.ts"),
    import("../dataplane/vpc-cidr.ts"),
  ]);
  const routes = await hostRoutes().catch((error: unknown) => {
    log.debug(`this machine's routes are not known: ${messageOf(error)}`);
    return [];
  });
  return chooseVpcCidr(routes);
}

function readyText({ dataDirectory }: Settings, headline: string, identity: Identity): string {
  const isDefault = dataDirectory === SETTINGS.dataDirectory.fallback;
  const flag = isDefault ? "" : ` --data-dir ${shellQuote(dataDirectory)}`;
  return [
    "",
    `${headline}   data ${dataDirectory}   system ${identity.systemId}`,
    `In another terminal${PROGRAM === "gantry" ? "" : ", in this directory"}:`,
    "",
    `  eval "$(${PROGRAM} env${flag})"`,
    "  aws ecs describe-clusters",
    "",
    "",
  ].join("\n");
}

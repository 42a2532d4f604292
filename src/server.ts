import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import type { Settings } from "./config.ts";
import { createGateway } from "./door/gateway.ts";
import { serveHttp } from "./door/http.ts";
import { ensureDefaultVpc } from "./ec2/default-vpc.ts";
import { ec2Indexes } from "./ec2/indexes.ts";
import { createClusterReaper } from "./ecs/control/cluster-reaper.ts";
import type { EcsDeps } from "./ecs/control/deps.ts";
import { createDispatcher } from "./ecs/control/dispatcher.ts";
import { createExplanationsRoute } from "./ecs/control/explanations-route.ts";
import { ensureFleetCluster } from "./ecs/control/fleet.ts";
import { ecsIndexes } from "./ecs/control/indexes.ts";
import { createInstancesController } from "./ecs/control/instances.ts";
import { createNetworkInterfacesController } from "./ecs/control/network-interfaces.ts";
import { createNodeFeed } from "./ecs/control/node-feed.ts";
import { createNodeOwnership } from "./ecs/control/node-ownership.ts";
import { Placer } from "./ecs/control/placement.ts";
import { createRunTokenReaper } from "./ecs/control/run-token-reaper.ts";
import { createTaskDefinitionReaper } from "./ecs/control/task-definition-reaper.ts";
import { createTaskReaper } from "./ecs/control/task-reaper.ts";
import { TelemetryBook } from "./ecs/control/telemetry-book.ts";
import { FLEET_ACCOUNT_ID } from "./ecs/model/keys.ts";
import { createAccess } from "./iam/access.ts";
import { createNodeKey, ensureRootKey } from "./iam/access-keys.ts";
import { createIam } from "./iam/create-iam.ts";
import { iamIndexes } from "./iam/indexes.ts";
import type { AccessKey } from "./iam/model/access-key.ts";
import { nodeJoinRoutes } from "./iam/node-join.ts";
import type { Clock } from "./lib/clock.ts";
import { type DiskWatch, watchDisk } from "./lib/disk-room.ts";
import type { Log } from "./lib/log.ts";
import { openMasterKey } from "./lib/master-key.ts";
import { openPrivateDirectory } from "./lib/private-directory.ts";
import type { Random } from "./lib/random.ts";
import { Sealer } from "./lib/sealer.ts";
import { Supervisor } from "./lib/supervisor.ts";
import { logsIndexes } from "./logs/indexes.ts";
import { runLogReaper } from "./logs/reaper.ts";
import { createSecretReaper } from "./secrets/reaper.ts";
import { servicesOf } from "./services.ts";
import { type Cache, createCache } from "./store/cache.ts";
import { type Controller, runController } from "./store/controller.ts";
import { openSqliteStore } from "./store/sqlite.ts";
import type { Store } from "./store/store.ts";
import { Sessions } from "./sts/session.ts";
import { reserveBytesOf } from "./telemetry/disk-space.ts";
import { openLogStore } from "./telemetry/segment-log-store.ts";

/** Log events are the first that it has no room for. */
const SERVER_DISK: Pick<DiskWatch, "consequence" | "leastBytes"> = {
  consequence:
    "log events are refused, and once nothing is left every change of the state; make room",
  leastBytes: ({ totalBytes }) => reserveBytesOf(totalBytes),
};

export interface ServerOptions {
  readonly directory: string;
  /** Spawned while this module was loading; without it the store spawns one. */
  readonly journalThread?: Worker;
  readonly listen: Settings["listen"];
  /** How clients name this machine in the endpoint. */
  readonly endpointHost: string;
  /** PEM. Undefined: plain HTTP. Asked when the data directory is this server's alone. */
  readonly loadTls: () => Promise<
    { readonly certificate: string; readonly key: string } | undefined
  >;
  readonly accountId: string;
  readonly region: string;
  /** The account's root key; absent: made at the first start. */
  readonly rootKey: Settings["rootKey"];
  /** The default VPC's network, if it must be a certain one. */
  readonly vpcCidr: string | undefined;
  /** Asked when the default VPC is made and `vpcCidr` does not say. */
  readonly chooseVpcCidr: () => Promise<string>;
  /** How long a STOPPED task can still be described. */
  readonly taskRetentionMs: number;
  /** How long a machine may be silent before its tasks are given up; undefined: for ever. */
  readonly nodeLossAfterMs: number | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** A running control plane. Disposing it stops it; what it acknowledged is on disk. */
export interface Server extends AsyncDisposable {
  /** `http://127.0.0.1:4566`. */
  readonly endpoint: string;
  readonly rootKey: Pick<AccessKey, "accessKeyId" | "secretAccessKey">;
  /** The default VPC's subnets, in order of their zones. */
  readonly subnetIds: readonly string[];
  /** A new key for a machine in an account; its older one ends. */
  createNodeKey(accountId: string, ec2InstanceId: string): Promise<AccessKey>;
  /** Rejects when a loop is broken. */
  readonly failed: Promise<never>;
}

/** The zones of a default VPC. Machines say which one they are in. */
const ZONE_LETTERS = ["a", "b", "c"];

/** Brings the control plane up: state, identities, loops, and the door last. Throws SetupError with what to do. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { accountId, region, clock, random, directory } = options;
  const log = options.log.child("server");
  await using starting = new AsyncDisposableStack();
  const store = await openStore(directory, log, options.journalThread);
  starting.defer(() => store.close());
  const tls = await options.loadTls();
  const logStore = await openLogStore({ directory: join(directory, "logs"), log });
  starting.defer(() => logStore.close());
  const loops = starting.use(new Supervisor(log));
  const cache = startCache(store, loops, log);
  await cache.reached(0);
  const base = { store, cache, clock, random, log };
  const sessions = new Sessions(base);
  const access = createAccess({ cache, clock, sessions, mayNode: createNodeOwnership(base) });
  const { serviceTrust } = access;
  const deps: EcsDeps = { ...base, serviceTrust, telemetry: new TelemetryBook() };
  const rootKey = await ensureRootKey(deps, accountId, options.rootKey);
  const subnetIds = await ensureNetwork(deps, options);
  await ensureFleetCluster(deps, region);

  const dispatcher = createDispatcher({ ...deps, minter: sessions });
  const nodeFeed = createNodeFeed(deps);
  loops.start("dispatcher", (signal) => dispatcher.run(signal));
  loops.start("node feed", (signal) => nodeFeed.run(signal));
  const sealer = new Sealer(await openMasterKey(join(directory, "master.key"), random), random);
  for (const controller of controllersOf(deps, sealer, options))
    loops.start(controller.name, (signal) => runController(controller, deps, signal));
  loops.start("disk", (signal) => watchDisk({ ...SERVER_DISK, directory, clock, log }, signal));
  loops.start("log reaper", (signal) => runLogReaper({ ...deps, logStore }, signal));

  const iam = createIam(deps, access.policiesOf);
  loops.start("last uses", (signal) => iam.run(signal));
  const placer = new Placer(deps);
  const gateway = createGateway({
    services: servicesOf({ deps, placer, logStore, access, iam, sessions, sealer, directory }),
    findIdentity: access.findIdentity,
    authorize: iam.noting(access.authorize),
    encodeDenial: (details) => sessions.sealDenial(details),
    scheme: tls === undefined ? "http" : "https",
    clock,
    random,
    log,
  });
  const joinRoutes = nodeJoinRoutes({
    ...deps,
    minter: sessions,
    accountId,
    region,
    accountIds: [accountId, FLEET_ACCOUNT_ID],
  });
  const explanations = createExplanationsRoute(deps, placer);
  const upgrades = [...dispatcher.routes, nodeFeed.route, ...joinRoutes, explanations];
  const http = await serveHttp({ gateway, upgrades, listen: options.listen, tls, log, clock });
  starting.defer(() => http.close());
  const running = starting.move();
  return {
    endpoint: endpointOf(http.url, options.endpointHost),
    rootKey,
    subnetIds,
    createNodeKey: (account, ec2InstanceId) =>
      createNodeKey(deps, { accountId: account, ec2InstanceId }),
    failed: loops.failed,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** A view of all records, which is empty at first. */
function startCache(store: Store, loops: Supervisor, log: Log): Cache {
  const indexes = { ...ecsIndexes, ...ec2Indexes, ...iamIndexes, ...logsIndexes };
  const cache = createCache({ store, indexes, log });
  loops.start("cache", (signal) => cache.run(signal));
  return cache;
}

/** The account's default VPC. Gives its subnets, in order of their zones. */
async function ensureNetwork(deps: EcsDeps, options: ServerOptions): Promise<readonly string[]> {
  const { accountId, region, vpcCidr, chooseVpcCidr } = options;
  const availabilityZones = ZONE_LETTERS.map((letter) => `${region}${letter}`);
  const { subnets } = await ensureDefaultVpc(
    deps,
    { accountId, region },
    { cidr: vpcCidr, chooseCidr: chooseVpcCidr, availabilityZones },
  );
  return subnets.map(({ subnetId }) => subnetId);
}

/** The loops that look at records. */
function controllersOf(
  deps: EcsDeps,
  sealer: Sealer,
  { nodeLossAfterMs, taskRetentionMs }: ServerOptions,
): readonly Controller[] {
  return [
    createInstancesController(deps, {
      lossAfterMs: nodeLossAfterMs,
      retentionMs: taskRetentionMs,
    }),
    createNetworkInterfacesController(deps),
    createClusterReaper(deps),
    createTaskDefinitionReaper(deps),
    createTaskReaper(deps, { retentionMs: taskRetentionMs }),
    createRunTokenReaper(deps),
    createSecretReaper({ ...deps, sealer }),
  ];
}

function endpointOf(doorUrl: string, host: string): string {
  const url = new URL(doorUrl);
  url.hostname = host.includes(":") ? `[${host}]` : host;
  return url.origin;
}

/** Holds a server's data directory, so that none runs on it meanwhile. Throws SetupError if one does. */
export async function lockStore(directory: string, log: Log): Promise<AsyncDisposable> {
  const store = await openStore(directory, log);
  return { [Symbol.asyncDispose]: () => store.close() };
}

async function openStore(directory: string, log: Log, thread?: Worker): Promise<Store> {
  await openPrivateDirectory(directory);
  return openSqliteStore({ directory: join(directory, "store"), log, thread });
}

import { type Change, Wake } from "../../src/agent/wake.ts";
import type { JoinToken } from "../../src/cli/join-token.ts";
import type { Membership } from "../../src/cli/membership.ts";
import { createGateway } from "../../src/door/gateway.ts";
import { type RawRequest, splitTarget } from "../../src/door/raw.ts";
import type { UpgradeRoute } from "../../src/door/upgrade.ts";
import { ensureDefaultVpc } from "../../src/ec2/default-vpc.ts";
import { ec2Indexes } from "../../src/ec2/indexes.ts";
import { createClusterReaper } from "../../src/ecs/control/cluster-reaper.ts";
import type { EcsDeps } from "../../src/ecs/control/deps.ts";
import { createDispatcher } from "../../src/ecs/control/dispatcher.ts";
import { ensureFleetCluster } from "../../src/ecs/control/fleet.ts";
import { ecsIndexes } from "../../src/ecs/control/indexes.ts";
import { createInstancesController } from "../../src/ecs/control/instances.ts";
import { createNetworkInterfacesController } from "../../src/ecs/control/network-interfaces.ts";
import { createNodeFeed } from "../../src/ecs/control/node-feed.ts";
import { createNodeOwnership } from "../../src/ecs/control/node-ownership.ts";
import { createRunTokenReaper } from "../../src/ecs/control/run-token-reaper.ts";
import { createTaskDefinitionReaper } from "../../src/ecs/control/task-definition-reaper.ts";
import { createTaskReaper } from "../../src/ecs/control/task-reaper.ts";
import { TelemetryBook } from "../../src/ecs/control/telemetry-book.ts";
import type { InstanceLimits } from "../../src/ecs/model/instance-step.ts";
import { FLEET_ACCOUNT_ID } from "../../src/ecs/model/keys.ts";
import { ecsAgentOperations } from "../../src/ecs/operations/agent-table.ts";
import { ecsService } from "../../src/ecs/operations/table.ts";
import { createAccess } from "../../src/iam/access.ts";
import { createNodeKey, ensureRootKey } from "../../src/iam/access-keys.ts";
import { iamIndexes } from "../../src/iam/indexes.ts";
import type { AccessKey } from "../../src/iam/model/access-key.ts";
import { mintJoinToken, type NodeJoinDeps, nodeJoinRoutes } from "../../src/iam/node-join.ts";
import type { Log } from "../../src/lib/log.ts";
import { Sealer } from "../../src/lib/sealer.ts";
import { Supervisor } from "../../src/lib/supervisor.ts";
import type { LogsDeps } from "../../src/logs/deps.ts";
import { logsIndexes } from "../../src/logs/indexes.ts";
import { logsService } from "../../src/logs/operations.ts";
import { runLogReaper } from "../../src/logs/reaper.ts";
import type { SecretsDeps } from "../../src/secrets/deps.ts";
import { secretsService } from "../../src/secrets/operations.ts";
import { createSecretReaper } from "../../src/secrets/reaper.ts";
import { type Cache, createCache } from "../../src/store/cache.ts";
import { runController } from "../../src/store/controller.ts";
import type { Store } from "../../src/store/store.ts";
import { Sessions } from "../../src/sts/session.ts";
import type { HostClock } from "./host-clock.ts";
import { type MemoryLogs, ProcessLogStore } from "./memory-log-store.ts";
import { GOOD_STORE, ProcessStore, type StoreConditions } from "./process-store.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { SocketEnd } from "./socket-end.ts";
import type { Door } from "./uplink.ts";

export const ACCOUNT_ID = "111111111111";
export const REGION = "us-east-1";
export const ENDPOINT = "http://server:4566";
const SCOPE = { accountId: ACCOUNT_ID, region: REGION };
export const ZONES: readonly string[] = ["a", "b"].map((letter) => `${REGION}${letter}`);

/** It outlives the processes, as its file does. */
const MASTER_KEY = new Uint8Array(32).fill(7);

export interface SimServerDeps {
  /** The disk: it outlives the processes. */
  readonly store: Store;
  readonly logs: MemoryLogs;
  readonly clock: HostClock;
  readonly random: SeededRandom;
  readonly log: Log;
  /** How long STOPPED tasks are kept. */
  readonly retentionMs: number;
  /** How long a machine may be silent. */
  readonly lossAfterMs: number;
  /** Told when a process ends that nobody has ended. */
  readonly onBroken: (error: unknown) => void;
}

/** One server, as a sequence of processes over one store. */
export class SimServer {
  conditions: StoreConditions = GOOD_STORE;
  readonly #deps: SimServerDeps;
  #process: ServerProcess | undefined;

  constructor(deps: SimServerDeps) {
    this.#deps = deps;
  }

  get process(): ServerProcess | undefined {
    return this.#process;
  }

  /** Resolves when the process serves. */
  async start(): Promise<ServerProcess> {
    const process = new ServerProcess({ ...this.#deps, conditions: () => this.conditions });
    this.#process = process;
    await process.start();
    return process;
  }

  /** As kill -9 does: nothing is said to anybody, and nothing more is written. */
  async crash(): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    await process?.crash();
  }
}

interface ProcessDeps extends SimServerDeps {
  readonly conditions: () => StoreConditions;
}

/** One run of the control plane: `server.ts` without its sockets, files and logs service. */
export class ServerProcess implements Door {
  readonly #dying = new Wake();
  readonly death: Change = this.#dying.next();
  readonly cache: Cache;
  readonly #limits: InstanceLimits;
  readonly #ecs: EcsDeps;
  readonly #logs: LogsDeps;
  readonly #secrets: SecretsDeps;
  readonly #dead = new AbortController();
  readonly #loops: Supervisor;
  readonly #gateway: ReturnType<typeof createGateway>;
  readonly #dispatcher: ReturnType<typeof createDispatcher>;
  readonly #nodeFeed: ReturnType<typeof createNodeFeed>;
  readonly #joinDeps: NodeJoinDeps;
  readonly #routes: readonly UpgradeRoute[];
  readonly #sockets = new Set<SocketEnd>();
  #serves = false;

  constructor(deps: ProcessDeps) {
    const { clock, log, random } = deps;
    this.#limits = deps;
    const store = new ProcessStore({ ...deps, dead: this.#dead.signal });
    const indexes = { ...ecsIndexes, ...ec2Indexes, ...iamIndexes, ...logsIndexes };
    this.cache = createCache({ store, indexes, log });
    const base = { store, cache: this.cache, clock, random, log };
    const sessions = new Sessions(base);
    const access = createAccess({ ...base, sessions, mayNode: createNodeOwnership(base) });
    this.#ecs = {
      ...base,
      serviceTrust: access.serviceTrust,
      telemetry: new TelemetryBook(),
    };
    this.#logs = { ...base, logStore: new ProcessLogStore({ ...deps, dead: this.#dead.signal }) };
    this.#secrets = { ...base, sealer: new Sealer(MASTER_KEY, random) };
    this.#loops = new Supervisor(log);
    this.#loops.failed.catch(deps.onBroken);
    this.#dispatcher = createDispatcher({ ...this.#ecs, minter: sessions });
    this.#nodeFeed = createNodeFeed(this.#ecs);
    const accountIds = [ACCOUNT_ID, FLEET_ACCOUNT_ID];
    this.#joinDeps = { ...base, minter: sessions, ...SCOPE, accountIds };
    this.#routes = [
      ...this.#dispatcher.routes,
      this.#nodeFeed.route,
      ...nodeJoinRoutes(this.#joinDeps),
    ];
    this.#gateway = createGateway({
      services: [
        ecsService(this.#ecs, ecsAgentOperations(this.#ecs)),
        logsService(this.#logs),
        secretsService(this.#secrets),
      ],
      findIdentity: access.findIdentity,
      authorize: access.authorize,
      encodeDenial: (details) => sessions.sealDenial(details),
      clock,
      random,
      log,
    });
  }

  async start(): Promise<void> {
    const deps = this.#ecs;
    this.#loops.start("cache", (signal) => this.cache.run(signal));
    await this.cache.reached(0);
    await ensureDefaultVpc(deps, SCOPE, {
      cidr: undefined,
      chooseCidr: async () => "172.31.0.0/16",
      availabilityZones: ZONES,
    });
    await ensureFleetCluster(deps, REGION);
    this.#loops.start("dispatcher", (signal) => this.#dispatcher.run(signal));
    this.#loops.start("node feed", (signal) => this.#nodeFeed.run(signal));
    const controllers = [
      createInstancesController(deps, this.#limits),
      createNetworkInterfacesController(deps),
      createClusterReaper(deps),
      createTaskDefinitionReaper(deps),
      createTaskReaper(deps, this.#limits),
      createRunTokenReaper(deps),
      createSecretReaper(this.#secrets),
    ];
    for (const controller of controllers) {
      this.#loops.start(controller.name, (signal) => runController(controller, deps, signal));
    }
    this.#loops.start("log reaper", (signal) => runLogReaper(this.#logs, signal));
    this.#serves = true;
  }

  /** False until it has started, and again when it is dead. */
  get serves(): boolean {
    return this.#serves;
  }

  rootKey(): Promise<AccessKey> {
    return ensureRootKey(this.#ecs, ACCOUNT_ID);
  }

  /** Of the server's own machine, as `gantry up` makes it. */
  async membership(ec2InstanceId: string): Promise<Membership> {
    const keys: Record<string, AccessKey> = {};
    for (const accountId of [ACCOUNT_ID, FLEET_ACCOUNT_ID]) {
      keys[accountId] = await createNodeKey(this.#ecs, { accountId, ec2InstanceId });
    }
    return { endpoint: ENDPOINT, ...SCOPE, keys };
  }

  /** For the other machines. */
  async joinToken(): Promise<JoinToken> {
    const credentials = await mintJoinToken(this.#joinDeps);
    return { endpoint: ENDPOINT, region: REGION, ...credentials };
  }

  handle(raw: RawRequest): ReturnType<Door["handle"]> {
    return this.#gateway.handle(raw);
  }

  async upgrade(raw: RawRequest): ReturnType<Door["upgrade"]> {
    const { path } = splitTarget(raw.target);
    const route = this.#routes.find((candidate) => candidate.path === path);
    if (route === undefined) return { status: 404, body: "" };
    const outcome = await this.#gateway.upgrade(raw, route);
    if (!outcome.ok) return { status: outcome.reply.status, body: String(outcome.reply.body) };
    const decision = await route.open(outcome.call);
    if ("refuse" in decision) return decision.refuse;
    return {
      accept: (socket) => {
        this.#sockets.add(socket);
        decision.accept(socket);
      },
    };
  }

  async crash(): Promise<void> {
    this.#serves = false;
    this.#dead.abort();
    for (const socket of this.#sockets) socket.kill();
    this.#dying.notify();
    await this.#loops[Symbol.asyncDispose]();
  }
}

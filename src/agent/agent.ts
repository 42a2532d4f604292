/**
 * One node's agent: registers the machine into a cluster, takes tasks from the server, makes them true on the container
 * runtime and the network, and reports. It knows the server by the published agent protocol only. Two agents may share one
 * machine, runtime and network: each touches only the containers that carry its label.
 */
import { join } from "node:path";
import type { Dataplane } from "../dataplane/dataplane.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { isNoSpace } from "../lib/no-space.ts";
import type { Random } from "../lib/random.ts";
import { createSigner } from "../lib/sigv4.ts";
import { Permits } from "../lib/turns.ts";
import { GANTRY_AGENT_HASH } from "../protocol/acs.ts";
import type { ContainerState, Runtime } from "../runtime/runtime.ts";
import { handleFrame } from "./acs-handler.ts";
import { adopt } from "./adopt.ts";
import type { AgentConfig, ApiClient, ApiFactory, Credentials, Dial } from "./agent-deps.ts";
import { Assignments } from "./assignments.ts";
import type { Disk } from "./disk.ts";
import { EndpointIds } from "./endpoints/container-ids.ts";
import type { EndpointAgent, EndpointHub, EndpointTask } from "./endpoints/hub.ts";
import type { Journal } from "./journal.ts";
import { keepRoom } from "./journal-room.ts";
import { discoverEndpoints, register } from "./registration.ts";
import { RegistryAuth } from "./registry-auth.ts";
import { Reporter } from "./reporter.ts";
import { RoleCredentialsCache } from "./role-credentials.ts";
import { runSession } from "./session.ts";
import { storageKey } from "./steps/storage.ts";
import { TaskController } from "./task-controller.ts";
import type { TaskEntry } from "./task-entry.ts";
import {
  AGENT_LABEL,
  CONTAINER_LABEL,
  TASK_LABEL,
  type TaskRecord,
  taskIdOf,
} from "./task-record.ts";
import { runTcsSession } from "./telemetry/tcs-session.ts";
import { PUBLISH_INTERVAL_MS, Telemetry } from "./telemetry/telemetry.ts";
import { untilDone } from "./until-done.ts";
import { unlessAborted, Wake } from "./wake.ts";

/** Chosen: containers made or removed at a time. The engine runs the programs of fewer at once; the others come that far meanwhile. */
const CONCURRENT_CONTAINERS_MAX = 8;
/** Of the HMAC behind the endpoint ids: as long as its hash. */
const ENDPOINT_SECRET_BYTES = 32;

export interface AgentDeps {
  readonly runtime: Runtime;
  readonly dataplane: Dataplane;
  readonly api: ApiFactory;
  readonly dial: Dial;
  readonly disk: Disk;
  /** Where the machine's endpoint server finds this agent's tasks. */
  readonly endpoints: EndpointHub;
  /** The node's own credentials. */
  readonly credentials: () => Credentials;
  /** Where the machine is, as EC2 would say; undefined: nobody has said so yet. */
  readonly vpcId?: () => string | undefined;
  readonly config: AgentConfig;
  /** Of this agent alone: its journal and its tasks' files. */
  readonly directory: string;
  /** Of the volumes that all tasks of this machine share. */
  readonly volumesDirectory: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface Agent {
  /** Works until `signal` aborts; containers then run on. Rejects with SetupError when the server refuses this machine for good. */
  run(signal: AbortSignal): Promise<void>;
  /** Of the container instance, once registered. */
  readonly instanceArn: string | undefined;
  /** Resolves when what an earlier run has left is taken up, so that `tasks()` tells it all, or when `signal` aborts. */
  recovered(signal: AbortSignal): Promise<void>;
  /** Resolves when the server has taken the connection for the first time, or when `signal` aborts. */
  connected(signal: AbortSignal): Promise<void>;
  /** What is known of every task that is here or has just ended. */
  tasks(): readonly TaskRecord[];
}

/** Prepares an agent. Nothing happens before `run`. */
export function createAgent(deps: AgentDeps): Agent {
  let instanceArn: string | undefined;
  let assignments: Assignments | undefined;
  const { promise: recovery, resolve: onRecovered } = Promise.withResolvers<void>();
  const { promise: connection, resolve: onConnected } = Promise.withResolvers<void>();
  return {
    recovered: async (signal) => unlessAborted(recovery, signal),
    connected: async (signal) => unlessAborted(connection, signal),
    get instanceArn() {
      return instanceArn;
    },
    tasks: () => assignments?.list().map(({ record }) => record) ?? [],
    run: async (signal) => {
      using journal = await openJournal(deps, signal);
      if (journal === undefined) return;
      // Ends the tasks' loops too when the run ends for another reason than the abort.
      const over = new AbortController();
      const running = new AgentRun(deps, journal, AbortSignal.any([signal, over.signal]));
      assignments = running.assignments;
      try {
        const onRegistered = (arn: string): void => {
          instanceArn = arn;
        };
        await running.run({ onRecovered, onRegistered, onConnected });
      } finally {
        over.abort();
        await running.tasksAtRest();
      }
    },
  };
}

/** Waits while there is no room for it; undefined when `signal` aborts. */
async function openJournal(deps: AgentDeps, signal: AbortSignal): Promise<Journal | undefined> {
  const { directory, disk } = deps;
  const open = async (): Promise<Journal | Error> => {
    try {
      await disk.makeDirectory(directory, 0o700);
      return disk.openJournal(join(directory, "journal.sqlite"));
    } catch (error) {
      if (isNoSpace(error) || !(error instanceof Error)) throw error;
      return error;
    }
  };
  const opened = await untilDone(deps, "cannot open the journal yet", open, signal);
  if (opened instanceof Error) throw opened;
  return opened;
}

interface RunEvents {
  readonly onRecovered: () => void;
  readonly onRegistered: (instanceArn: string) => void;
  readonly onConnected: () => void;
}

/** One run of the agent, from recovery to abort. */
class AgentRun {
  readonly assignments: Assignments;
  readonly #deps: AgentDeps;
  readonly #journal: Journal;
  readonly #signal: AbortSignal;
  readonly #ecs: ApiClient;
  readonly #roleCredentials = new RoleCredentialsCache();
  readonly #permits = new Permits(CONCURRENT_CONTAINERS_MAX);
  readonly #reporter: Reporter;
  readonly #registryAuth: RegistryAuth;
  readonly #endpointAgent: EndpointAgent;
  readonly #telemetry: Telemetry;
  /** Wakes when something has become known of any task. */
  readonly #news = new Wake();
  readonly #working = new Set<Promise<void>>();
  #instanceArn: string | undefined;

  constructor(deps: AgentDeps, journal: Journal, signal: AbortSignal) {
    const { clock, config, log, random } = deps;
    this.#deps = deps;
    this.#journal = journal;
    this.#signal = signal;
    const ecsTarget = { service: "ecs", region: config.region } as const;
    this.#ecs = deps.api(ecsTarget, deps.credentials);
    this.#registryAuth = new RegistryAuth({ ...deps, roleCredentials: this.#roleCredentials });
    this.#endpointAgent = {
      config,
      volumePlaces: deps,
      ids: new EndpointIds(journal.endpointSecret(() => random.hex(ENDPOINT_SECRET_BYTES))),
      taskCredentials: (taskArn) => this.#roleCredentials.get(taskArn, "TaskApplication"),
      instanceArn: () => this.#instanceArn,
      vpcId: () => deps.vpcId?.(),
      stats: (containerId) => this.#telemetry.latest(containerId),
      taskStorage: (taskArn) => deps.runtime.taskStorageUsage(storageKey(config, taskArn)),
      ecs: this.#ecs,
      ecsAs: (credentials) => deps.api(ecsTarget, () => credentials),
    };
    this.#reporter = new Reporter({
      ecs: this.#ecs,
      journal,
      cluster: config.cluster,
      clock,
      random,
      log,
    });
    this.assignments = new Assignments({
      journal,
      roleCredentials: this.#roleCredentials,
      clock,
      log,
      start: (entry) => this.#start(entry),
      onChange: () => this.#news.notify(),
    });
    this.#telemetry = new Telemetry({
      runtime: deps.runtime,
      records: () => this.assignments.list().map(({ record }) => record),
      news: this.#news,
      intervalMs: config.metricsIntervalMs ?? PUBLISH_INTERVAL_MS,
      cluster: config.cluster,
      clock,
      random,
      log,
    });
  }

  async run(events: RunEvents): Promise<void> {
    const { config, log } = this.#deps;
    await this.#recover();
    if (!this.#signal.aborted) events.onRecovered();
    const instanceArn = await this.#register();
    if (instanceArn === undefined) return;
    this.#instanceArn = instanceArn;
    events.onRegistered(instanceArn);
    log.info("registered", { cluster: config.cluster, instanceArn });
    await this.#connect(instanceArn, events.onConnected);
  }

  /** Undefined when the run ends before that. */
  #register(): Promise<string | undefined> {
    const { clock, config, log, random } = this.#deps;
    const registration = { ecs: this.#ecs, journal: this.#journal, config, clock, random, log };
    return register(registration, this.#signal);
  }

  /** Resolves when no task's loop works any more: soon after the abort. */
  async tasksAtRest(): Promise<void> {
    await Promise.all(this.#working);
  }

  /** Keeps both connections until the run ends. */
  async #connect(instanceArn: string, onConnected: () => void): Promise<void> {
    const { clock, config, credentials, dial, log, random, runtime } = this.#deps;
    const version = await this.#untilDone("cannot ask the runtime", () => runtime.version());
    const discovery = { ecs: this.#ecs, cluster: config.cluster };
    const sign = createSigner();
    const request = { method: "GET", service: "ecs", region: config.region };
    const shared = {
      dial,
      sign: (url: URL, body?: string) =>
        sign({
          ...request,
          url,
          ...(body !== undefined && { body }),
          credentials: credentials(),
          now: clock.now(),
        }),
      clock,
      random,
      log,
    };
    const software = { agentHash: GANTRY_AGENT_HASH, agentVersion: config.version };
    const handler = {
      assignments: this.assignments,
      journal: this.#journal,
      roleCredentials: this.#roleCredentials,
      log,
    };
    const acs = runSession(
      {
        ...shared,
        endpoint: async (signal) =>
          (await discoverEndpoints(discovery, instanceArn, signal)).endpoint,
        onConnected,
        ...(config.comesBack && { comeBack: async () => void (await this.#register()) }),
        handle: (text) => handleFrame(handler, text),
        identity: {
          ...software,
          clusterArn: config.cluster,
          containerInstanceArn: instanceArn,
          dockerVersion: `DockerVersion: ${version}`,
        },
      },
      this.#signal,
    );
    const tcs = runTcsSession(
      {
        ...shared,
        endpoint: async (signal) =>
          (await discoverEndpoints(discovery, instanceArn, signal)).telemetryEndpoint,
        publish: (send, signal) => this.#telemetry.publish(instanceArn, send, signal),
        identity: {
          ...software,
          cluster: config.cluster,
          containerInstance: instanceArn,
          dockerVersion: version ?? "",
        },
      },
      this.#signal,
    );
    const room = keepRoom(this.#deps, this.#journal, this.#signal);
    await Promise.all([acs, tcs, this.#telemetry.sample(this.#signal), room]);
  }

  /** Takes up what the journal knows as the runtime now has it, and removes what no assignment knows. */
  async #recover(): Promise<void> {
    const { clock, config, runtime } = this.#deps;
    const seen = await this.#untilDone("cannot list containers yet", () => runtime.list());
    if (seen === undefined) return;
    const byTask = Map.groupBy(
      seen.filter(({ labels }) => labels[AGENT_LABEL] === config.label),
      ({ labels }) => labels[TASK_LABEL] ?? "",
    );
    for (const record of this.#journal.tasks()) {
      const states = byTask.get(record.task.arn) ?? [];
      byTask.delete(record.task.arn);
      const entry = this.assignments.resume(record);
      const byName = new Map(states.map((state) => [state.labels[CONTAINER_LABEL] ?? "", state]));
      await this.#untilDone("cannot write down what runs here yet", async () =>
        entry.update((known) => adopt(known, byName, clock.now())),
      );
      if (this.#signal.aborted) return;
      this.#start(entry);
    }
    for (const [taskArn, orphans] of byTask) await this.#removeOrphans(taskArn, orphans);
    await this.#untilDone("cannot remove disks of unknown tasks yet", () => this.#removeDisks());
  }

  async #removeOrphans(taskArn: string, orphans: readonly ContainerState[]): Promise<void> {
    const { dataplane, log, runtime } = this.#deps;
    for (const { id } of orphans) {
      log.warn("removing a container that belongs to no task", { id });
      await this.#untilDone("cannot remove a container yet", () => runtime.remove(id));
      await this.#untilDone("cannot remove a network yet", () => dataplane.detachBridge(id));
    }
    await this.#untilDone("cannot remove a network yet", () => dataplane.detach(taskIdOf(taskArn)));
  }

  /** Of tasks that the journal does not know. */
  async #removeDisks(): Promise<void> {
    const { config, log, runtime } = this.#deps;
    const known = new Set(this.#journal.tasks().map(({ task }) => taskIdOf(task.arn)));
    for (const key of await runtime.listTaskStorage()) {
      if (key.owner !== config.label || known.has(key.taskId)) continue;
      log.warn("removing the disk of a task that is not known", { task: key.taskId });
      await runtime.removeTaskStorage(key);
    }
  }

  #untilDone<T>(complaint: string, work: () => Promise<T>): Promise<T | undefined> {
    return untilDone(this.#deps, complaint, work, this.#signal);
  }

  #start(entry: TaskEntry): void {
    const { endpoints } = this.#deps;
    const task = endpointTask(this.#endpointAgent, entry);
    endpoints.add(task);
    const work = this.#runTask(entry).finally(() => {
      endpoints.remove(task);
      this.#working.delete(work);
    });
    this.#working.add(work);
  }

  async #runTask(entry: TaskEntry): Promise<void> {
    const controller = new TaskController(
      {
        ...this.#deps,
        journal: this.#journal,
        roleCredentials: this.#roleCredentials,
        permits: this.#permits,
        registryAuth: this.#registryAuth,
        endpointIds: this.#endpointAgent.ids,
      },
      entry,
    );
    await Promise.all([controller.run(this.#signal), this.#reporter.run(entry, this.#signal)]);
    await this.#untilDone("cannot forget a task yet", async () => this.assignments.forget(entry));
  }
}

function endpointTask(agent: EndpointAgent, entry: TaskEntry): EndpointTask {
  return {
    agent,
    arn: entry.arn,
    get record() {
      return entry.record;
    },
  };
}

/**
 * The agent gateway: every agent of this server holds its ACS and TCS connections here. The dispatcher knows which
 * instances are connected, records it, and wakes the right connection when something about its tasks changes; what is
 * said on a connection is `acs-session.ts`'s.
 */
import type { ConditionKeys } from "../../door/service.ts";
import type { UpgradeCall, UpgradeDecision, UpgradeRoute } from "../../door/upgrade.ts";
import { messageOf } from "../../lib/errors.ts";
import type { MessageSocket } from "../../lib/message-socket.ts";
import { KeyedTurns } from "../../lib/turns.ts";
import { ACS_PATH, GANTRY_AGENT_HASH, TCS_PATH } from "../../protocol/acs.ts";
import type { CacheChange } from "../../store/cache.ts";
import { updateRecord } from "../../store/commit.ts";
import { clusterArn, parseArn } from "../model/arn.ts";
import { defined } from "../model/defined.ts";
import type { Instance } from "../model/instance.ts";
import { ecsKind, instanceKey } from "../model/keys.ts";
import type { Task } from "../model/task.ts";
import { checkHandshake, refusal } from "./acs-handshake.ts";
import { AcsSession } from "./acs-session.ts";
import { Connections } from "./connections.ts";
import { DeliveryLedger } from "./delivery-ledger.ts";
import type { TaskDeliveryDeps } from "./task-delivery.ts";
import { TelemetryIntake } from "./telemetry-intake.ts";

/** Between attempts to record that an agent came or went. */
const RETRY_MS = 1_000;

export interface Dispatcher {
  /** `/acs/ws` and `/tcs/ws`. */
  readonly routes: readonly UpgradeRoute[];
  /** Serves connections until `signal` aborts; before and after, agents are told to come back later. */
  run(signal: AbortSignal): Promise<void>;
}

export function createDispatcher(deps: TaskDeliveryDeps): Dispatcher {
  return new AgentGateway({ ...deps, log: deps.log.child("dispatcher") });
}

class AgentGateway implements Dispatcher {
  readonly routes: readonly UpgradeRoute[];
  readonly #deps: TaskDeliveryDeps;
  /** By instance key. The newest connection of an instance is the only one. */
  readonly #sessions = new Map<string, AcsSession>();
  readonly #ledgers = new Map<string, DeliveryLedger>();
  readonly #connections = new Connections();
  readonly #telemetry: TelemetryIntake;
  /** A write that is overtaken by a later one would have the last word. */
  readonly #recordings = new KeyedTurns();

  constructor(deps: TaskDeliveryDeps) {
    this.#deps = deps;
    this.#telemetry = new TelemetryIntake(deps);
    this.routes = [
      {
        path: `${ACS_PATH}/ws`,
        action: "ecs:Poll",
        resources: instanceNamed("containerInstanceArn"),
        conditions: clusterKeys,
        open: (call) => this.#openAcs(call),
      },
      {
        path: `${TCS_PATH}/ws`,
        action: "ecs:StartTelemetrySession",
        resources: instanceNamed("containerInstance"),
        conditions: clusterKeys,
        open: (call) => this.#openTcs(call),
      },
    ];
  }

  async run(signal: AbortSignal): Promise<void> {
    const { cache } = this.#deps;
    const unsubscribe = cache.subscribe((changes) => this.#wake(changes));
    await this.#connections.run(signal, () => {
      // Whoever was connected when the last server ended is not any more.
      for (const { key } of cache.lookup("connectedInstances", "all")) this.#recordConnection(key);
      this.#connections.keep(this.#telemetry.run(signal));
    });
    unsubscribe();
  }

  #openAcs(call: UpgradeCall): UpgradeDecision {
    const { signal } = this.#connections;
    if (!signal) return NOT_SERVING;
    const handshake = checkHandshake(this.#deps.cache, call, {
      cluster: "clusterArn",
      containerInstance: "containerInstanceArn",
    });
    if ("refuse" in handshake) return handshake;
    return {
      accept: (socket) => this.#acceptAcs(signal, call, { ...handshake, socket }),
    };
  }

  #acceptAcs(
    signal: AbortSignal,
    { endpoint, query }: UpgradeCall,
    { key, instance, socket }: { key: string; instance: Instance; socket: MessageSocket },
  ): void {
    const ledger = this.#ledgers.get(key) ?? new DeliveryLedger();
    this.#ledgers.set(key, ledger);
    this.#sessions.get(key)?.close(1000, "a newer connection took its place");
    const isNewProcess = query.get("sendCredentials") === "true";
    const isOwn = query.get("agentHash") === GANTRY_AGENT_HASH;
    const session = new AcsSession(this.#deps, {
      key,
      instance,
      ledger,
      socket,
      isNewProcess,
      ...(!isOwn && { door: endpoint }),
    });
    this.#sessions.set(key, session);
    this.#recordConnection(key, query);
    this.#connections.keep(
      session.run(signal).then(() => {
        if (this.#sessions.get(key) !== session) return;
        this.#sessions.delete(key);
        if (!signal.aborted) this.#recordConnection(key);
      }),
    );
  }

  #openTcs(call: UpgradeCall): UpgradeDecision {
    const { signal } = this.#connections;
    if (!signal) return NOT_SERVING;
    const handshake = checkHandshake(this.#deps.cache, call, {
      cluster: "cluster",
      containerInstance: "containerInstance",
    });
    if ("refuse" in handshake) return handshake;
    return {
      accept: (socket) =>
        this.#connections.keep(this.#telemetry.serve({ ...handshake, socket }, signal)),
    };
  }

  /** Writes whether the instance is connected, as it is at the time of the write, until the store has taken it. */
  #recordConnection(key: string, query?: URLSearchParams): void {
    const versionInfo = defined({
      agentVersion: query?.get("agentVersion") ?? undefined,
      agentHash: query?.get("agentHash") ?? undefined,
      dockerVersion: query?.get("dockerVersion") ?? undefined,
    });
    const change = (instance: Instance): Instance => {
      const agentConnected = this.#sessions.has(key) && instance.status !== "INACTIVE";
      const isKnown = Object.entries(versionInfo).every(
        ([name, value]) => instance.versionInfo[name as keyof typeof versionInfo] === value,
      );
      if (isKnown && instance.agentConnected === agentConnected) return instance;
      const { disconnectedAt, ...rest } = instance;
      const since = instance.agentConnected ? this.#deps.clock.now() : disconnectedAt;
      return {
        ...rest,
        agentConnected,
        versionInfo: { ...instance.versionInfo, ...versionInfo },
        ...(!agentConnected && since !== undefined && { disconnectedAt: since }),
      };
    };
    this.#connections.keep(this.#recordings.take(key, () => this.#persist(key, change)));
  }

  async #persist(key: string, change: (instance: Instance) => Instance): Promise<void> {
    for (;;) {
      const { signal } = this.#connections;
      if (!signal) return;
      try {
        await updateRecord(this.#deps, key, change);
        return;
      } catch (error) {
        // What a stop cuts short the next start sees for itself.
        if (signal.aborted) return;
        this.#deps.log.warn("cannot record a connection", { key, error: messageOf(error) });
        await this.#deps.clock.sleep(RETRY_MS, signal);
      }
    }
  }

  #wake(changes: readonly CacheChange[]): void {
    for (const change of changes) {
      this.#telemetry.notice(change);
      const { key, before, after } = change;
      const kind = ecsKind(key);
      if (kind === "tasks") this.#sessionOf((after ?? before)?.value as Task)?.wake();
      if (kind === "instances" && !isActive(after?.value as Instance | undefined)) {
        // The agent comes back at once and is refused with InactiveInstanceException, which makes it rest.
        this.#sessions.get(key)?.close(1000, "the container instance is deregistered");
        this.#ledgers.delete(key);
      }
    }
  }

  #sessionOf({ placement: { instance } }: Task): AcsSession | undefined {
    return this.#sessions.get(instanceKey(instance, instance.clusterName, instance.id));
  }
}

/** The container instance that a handshake names in a member of its query. */
function instanceNamed(member: string): (query: URLSearchParams) => readonly string[] {
  return (query) => [query.get(member) || "*"];
}

function clusterKeys(_query: URLSearchParams, resource: string): ConditionKeys {
  const arn = parseArn(resource);
  const [cluster] = arn?.path ?? [];
  return arn && cluster ? { "ecs:cluster": clusterArn(arn, cluster) } : {};
}

const NOT_SERVING: UpgradeDecision = refusal(503, "ServerException", "The server is not ready.");

function isActive(instance: Instance | undefined): boolean {
  return instance !== undefined && instance.status !== "INACTIVE";
}

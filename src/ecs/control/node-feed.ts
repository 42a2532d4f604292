/**
 * Tells each machine's dataplane the network as it should be there: one list, then changes. Level-driven like the agent
 * gateway: each round compares what the node has been told with the records, so no change can be missed.
 */
import type { UpgradeCall, UpgradeDecision, UpgradeRoute } from "../../door/upgrade.ts";
import { ec2Kind, type NetworkInterface } from "../../ec2/model.ts";
import { machineOf } from "../../iam/model/access-key.ts";
import type { Clock } from "../../lib/clock.ts";
import type { MessageSocket } from "../../lib/message-socket.ts";
import {
  type FeedMessage,
  type FeedRemoteInterface,
  NODE_FEED_PATH,
} from "../../protocol/node-feed.ts";
import type { Cache, CacheChange } from "../../store/cache.ts";
import type { Instance } from "../model/instance.ts";
import { ecsKind } from "../model/keys.ts";
import { Alarm } from "./alarm.ts";
import { Connections } from "./connections.ts";
import { Heartbeat } from "./heartbeat.ts";
import {
  isSame,
  type ListChange,
  type Lists,
  listChange,
  type Machine,
  ownNetworkOf,
  peersOf,
  remoteInterfacesOf,
  toMessage,
  toRemoteInterface,
} from "./node-network.ts";

/** A reader that leaves more than this lying is not reading. */
const BUFFERED_BYTES_MAX = 8 * 2 ** 20;
/**
 * Chosen: what changes on other machines is told together, at most this often, or each task's start would be work for all of
 * them. Less than it takes a task to start.
 */
const REMOTE_CHANGES_MS = 100;

export interface NodeFeedDeps {
  readonly cache: Cache;
  readonly clock: Clock;
}

export interface NodeFeed {
  readonly route: UpgradeRoute;
  /** Serves nodes until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** The route `/node-feed/ws`. A machine's principal reads its own network and no other. */
export function createNodeFeed(deps: NodeFeedDeps): NodeFeed {
  const connections = new Connections();
  const sessions = new Set<FeedSession>();
  const open = (call: UpgradeCall): UpgradeDecision => {
    const machine = machineOf(call.principal);
    if (machine === undefined || machine !== call.query.get("ec2InstanceId")) {
      return { refuse: { status: 403, body: "a machine may read its own network only" } };
    }
    const { signal } = connections;
    if (!signal) return { refuse: { status: 503, body: "the server is not ready" } };
    const accept = (socket: MessageSocket): void => {
      const place = { region: call.region, ec2InstanceId: machine };
      const session = new FeedSession(deps, place, socket);
      sessions.add(session);
      connections.keep(session.run(signal).finally(() => sessions.delete(session)));
    };
    return { accept };
  };
  const run = async (signal: AbortSignal): Promise<void> => {
    const unsubscribe = deps.cache.subscribe((changes) => {
      for (const session of sessions) for (const change of changes) session.see(change);
    });
    await connections.run(signal);
    unsubscribe();
  };
  return { route: { path: NODE_FEED_PATH, action: "gantry:NodeFeed", open }, run };
}

/** What a node has been told, but for the interfaces elsewhere. */
type Told = Pick<Lists, "vpcs" | "interfaces" | "peers">;

class FeedSession {
  readonly #deps: NodeFeedDeps;
  readonly #machine: Machine;
  readonly #socket: MessageSocket;
  readonly #alarm: Alarm;
  readonly #heartbeat: Heartbeat;
  #told: Told | undefined;
  /** There may be thousands, so only those that have changed are looked at. */
  #toldRemotes = new Map<string, FeedRemoteInterface>();
  /** Keys of interfaces elsewhere to look at, once `#remotesDueAt` has come. */
  readonly #staleRemotes = new Set<string>();
  #remotesDueAt = Number.POSITIVE_INFINITY;
  #arePeersStale = true;
  #isClosed = false;

  /** Must be called in the tick in which the socket was received. */
  constructor(deps: NodeFeedDeps, machine: Machine, socket: MessageSocket) {
    this.#deps = deps;
    this.#machine = machine;
    this.#socket = socket;
    this.#alarm = new Alarm(deps.clock);
    this.#heartbeat = new Heartbeat(deps.clock.now());
    // Nothing but answers to heartbeats comes up this way.
    socket.onMessage(() => this.#heartbeat.answered(deps.clock.now()));
    socket.onClose(() => {
      this.#isClosed = true;
      this.#alarm.ring();
    });
  }

  /** Notes what a change of the records may mean for this node. */
  see({ key, before, after }: CacheChange): void {
    const kind = ec2Kind(key);
    if (kind === "vpcs" || kind === "subnets") this.#alarm.ring();
    else if (kind === "network-interfaces") this.#seeInterface(key, [before?.value, after?.value]);
    else if (ecsKind(key) === "instances" && hasMoved(before?.value, after?.value)) {
      this.#arePeersStale = true;
      this.#alarm.ring();
    }
  }

  #seeInterface(key: string, versions: readonly unknown[]): void {
    for (const version of versions) {
      const eni = version as NetworkInterface | undefined;
      if (eni?.region !== this.#machine.region) continue;
      if (eni.ec2InstanceId === this.#machine.ec2InstanceId) this.#alarm.ring();
      if (this.#told?.vpcs.has(eni.vpcId) !== true) continue;
      this.#staleRemotes.add(key);
      if (this.#remotesDueAt !== Number.POSITIVE_INFINITY) continue;
      this.#remotesDueAt = this.#deps.clock.now() + REMOTE_CHANGES_MS;
      this.#alarm.ring();
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#close("the server is stopping");
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    while (!this.#isClosed) {
      this.#tell();
      this.#beat();
      if (!this.#isClosed) {
        const now = this.#deps.clock.now();
        const untilBeatMs = this.#heartbeat.untilNextMs(now);
        await this.#alarm.rest(Math.min(untilBeatMs, this.#untilRemotesDueMs(now)));
      }
    }
    signal.removeEventListener("abort", stop);
  }

  #tell(): void {
    const { cache } = this.#deps;
    const told = this.#told;
    const own = ownNetworkOf(cache, this.#machine);
    const peers = told && !this.#arePeersStale ? told.peers : peersOf(cache, this.#machine);
    this.#arePeersStale = false;
    this.#told = { ...own, peers };
    if (!told) {
      this.#tellAll(this.#told);
      return;
    }
    const areVpcsSame = isSame([...told.vpcs.keys()], [...own.vpcs.keys()]);
    const message = toMessage([
      listChange("vpcs", told.vpcs, own.vpcs),
      listChange("interfaces", told.interfaces, own.interfaces),
      listChange("peers", told.peers, peers),
      areVpcsSame ? this.#takeStaleRemotes() : this.#takeRemotes(),
    ]);
    if (message) this.#send(message);
  }

  #tellAll({ interfaces, peers, vpcs }: Told): void {
    this.#takeRemotes();
    const network = {
      vpcs: [...vpcs.values()],
      interfaces: [...interfaces.values()],
      peers: [...peers.values()],
      remoteInterfaces: [...this.#toldRemotes.values()],
    };
    this.#send({ type: "list", network });
  }

  /** The change of all interfaces elsewhere. */
  #takeRemotes(): ListChange {
    const told = this.#toldRemotes;
    const vpcIds = this.#told?.vpcs.keys() ?? [];
    this.#toldRemotes = remoteInterfacesOf(this.#deps.cache, this.#machine, vpcIds);
    this.#staleRemotes.clear();
    this.#remotesDueAt = Number.POSITIVE_INFINITY;
    return listChange("remoteInterfaces", told, this.#toldRemotes);
  }

  /** A clock that is set back makes nobody wait for it. */
  #untilRemotesDueMs(now: number): number {
    if (this.#staleRemotes.size === 0) return Number.POSITIVE_INFINITY;
    this.#remotesDueAt = Math.min(this.#remotesDueAt, now + REMOTE_CHANGES_MS);
    return Math.max(0, this.#remotesDueAt - now);
  }

  /** The change of those that may have changed, if it is time. */
  #takeStaleRemotes(): ListChange {
    if (this.#untilRemotesDueMs(this.#deps.clock.now()) > 0) return { put: {}, deleted: {} };
    const [before, after] = [new Map(), new Map()] as [
      Map<string, FeedRemoteInterface>,
      Map<string, FeedRemoteInterface>,
    ];
    for (const key of this.#staleRemotes) {
      const id = key.slice(key.lastIndexOf("/") + 1);
      const record = this.#deps.cache.get(key)?.value as NetworkInterface | undefined;
      const remote = record && toRemoteInterface(record, this.#machine);
      const told = this.#toldRemotes.get(id);
      if (told) before.set(id, told);
      if (remote) after.set(id, remote);
      if (remote) this.#toldRemotes.set(id, remote);
      else this.#toldRemotes.delete(id);
    }
    this.#staleRemotes.clear();
    this.#remotesDueAt = Number.POSITIVE_INFINITY;
    return listChange("remoteInterfaces", before, after);
  }

  #beat(): void {
    const now = this.#deps.clock.now();
    if (this.#heartbeat.isLost(now)) {
      this.#close("heartbeats are not answered");
      return;
    }
    if (this.#heartbeat.takeDue(now)) this.#send({ type: "heartbeat" });
  }

  #send(message: FeedMessage): void {
    if (this.#isClosed) return;
    if (this.#socket.bufferedBytes > BUFFERED_BYTES_MAX) this.#close("the node reads too slowly");
    else this.#socket.send(JSON.stringify(message));
  }

  #close(reason: string): void {
    this.#isClosed = true;
    this.#socket.close(1001, reason);
    this.#alarm.ring();
  }
}

/** Whether a container instance came or went, or is now reached by another address. */
function hasMoved(before: unknown, after: unknown): boolean {
  const [was, is] = [before, after].map((value) => {
    const instance = value as Instance | undefined;
    return instance && instance.status !== "INACTIVE"
      ? [instance.ec2InstanceId, instance.privateIpAddress]
      : undefined;
  });
  return !isSame(was, is);
}

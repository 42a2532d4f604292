/**
 * Tells each machine's dataplane the network as it should be there: one list, then changes. Level-driven like the agent
 * gateway: each round compares what the node has been told with the records, so no change can be missed.
 */
import type { UpgradeCall, UpgradeDecision, UpgradeRoute } from "../../door/upgrade.ts";
import {
  ec2Kind,
  type NetworkInterface,
  type Subnet,
  subnetKey,
  type Vpc,
  vpcKey,
} from "../../ec2/model.ts";
import { machineOf } from "../../iam/model.ts";
import type { Clock } from "../../lib/clock.ts";
import type { MessageSocket } from "../../lib/message-socket.ts";
import {
  type FeedInterface,
  type FeedMessage,
  type FeedVpc,
  NODE_FEED_PATH,
} from "../../protocol/node-feed.ts";
import type { Cache } from "../../store/cache.ts";

const HEARTBEAT_MS = 25_000;
/** Four heartbeats without an answer: the node is gone. */
const SILENCE_MS_MAX = 100_000;
/** A reader that leaves more than this lying is not reading. */
const BUFFERED_BYTES_MAX = 8 * 2 ** 20;

export interface NodeFeedDeps {
  readonly cache: Cache;
  readonly clock: Clock;
}

export interface NodeFeed {
  readonly routes: readonly UpgradeRoute[];
  /** Serves nodes until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** The route `/node-feed/ws`. A machine's principal reads its own network and no other. */
export function createNodeFeed(deps: NodeFeedDeps): NodeFeed {
  const sessions = new Set<FeedSession>();
  const running = new Set<Promise<void>>();
  let serving: AbortSignal | undefined;
  const open = (call: UpgradeCall): UpgradeDecision => {
    const signal = serving;
    const machine = machineOf(call.principal);
    const asked = call.query.get("ec2InstanceId");
    if (machine === undefined || machine !== asked) {
      return { refuse: { status: 403, body: "a machine may read its own network only" } };
    }
    if (!signal || signal.aborted) {
      return { refuse: { status: 503, body: "the server is not ready" } };
    }
    const accept = (socket: MessageSocket): void => {
      const session = new FeedSession(deps, `${call.region}/${machine}`, call.region, socket);
      sessions.add(session);
      const work = session.run(signal).finally(() => {
        sessions.delete(session);
        running.delete(work);
      });
      running.add(work);
    };
    return { accept };
  };
  const run = async (signal: AbortSignal): Promise<void> => {
    serving = signal;
    const unsubscribe = deps.cache.subscribe((changes) => {
      if (!changes.some(({ key }) => ec2Kind(key) !== undefined)) return;
      for (const session of sessions) session.wake();
    });
    if (!signal.aborted) {
      await new Promise<void>((resolve) => {
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
    unsubscribe();
    await Promise.all(running);
  };
  return { routes: [{ path: NODE_FEED_PATH, action: "gantry:NodeFeed", open }], run };
}

/** By id: what a node has been told, or should be. */
interface Network {
  readonly vpcs: ReadonlyMap<string, FeedVpc>;
  readonly interfaces: ReadonlyMap<string, FeedInterface>;
}

class FeedSession {
  readonly #deps: NodeFeedDeps;
  readonly #host: string;
  readonly #region: string;
  readonly #socket: MessageSocket;
  #told: Network | undefined;
  #isClosed = false;
  #isAwake = false;
  #nap: AbortController | undefined;
  #lastHeardAt: number;
  #nextHeartbeatAt: number;

  constructor(deps: NodeFeedDeps, host: string, region: string, socket: MessageSocket) {
    this.#deps = deps;
    this.#host = host;
    this.#region = region;
    this.#socket = socket;
    this.#lastHeardAt = deps.clock.now();
    this.#nextHeartbeatAt = this.#lastHeardAt + HEARTBEAT_MS;
    // Nothing but answers to heartbeats comes up this way.
    socket.onMessage(() => {
      this.#lastHeardAt = deps.clock.now();
    });
    socket.onClose(() => {
      this.#isClosed = true;
      this.wake();
    });
  }

  wake(): void {
    this.#isAwake = true;
    this.#nap?.abort();
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!this.#isClosed && !signal.aborted) {
      this.#isAwake = false;
      this.#tell();
      this.#beat();
      if (this.#isAwake || this.#isClosed) continue;
      this.#nap = new AbortController();
      const restMs = Math.max(0, this.#nextHeartbeatAt - this.#deps.clock.now());
      await this.#deps.clock.sleep(restMs, AbortSignal.any([signal, this.#nap.signal]));
      this.#nap = undefined;
    }
    if (!this.#isClosed) this.#close("the server is stopping");
  }

  #tell(): void {
    const wanted = networkOf(this.#deps.cache, this.#region, this.#host);
    const told = this.#told;
    this.#told = wanted;
    if (!told) {
      const network = {
        vpcs: [...wanted.vpcs.values()],
        interfaces: [...wanted.interfaces.values()],
      };
      this.#send({ type: "list", network });
      return;
    }
    const change = difference(told, wanted);
    if (change) this.#send(change);
  }

  #beat(): void {
    const now = this.#deps.clock.now();
    if (now - this.#lastHeardAt >= SILENCE_MS_MAX) {
      this.#close("heartbeats are not answered");
      return;
    }
    if (now < this.#nextHeartbeatAt) return;
    this.#nextHeartbeatAt = now + HEARTBEAT_MS;
    this.#send({ type: "heartbeat" });
  }

  #send(message: FeedMessage): void {
    if (this.#isClosed) return;
    if (this.#socket.bufferedBytes > BUFFERED_BYTES_MAX) this.#close("the node reads too slowly");
    else this.#socket.send(JSON.stringify(message));
  }

  #close(reason: string): void {
    this.#isClosed = true;
    this.#socket.close(1001, reason);
  }
}

/** The interfaces on a machine with their VPCs, and every default VPC, so that it is there before its first task. */
function networkOf(cache: Cache, region: string, host: string): Network {
  const vpcs = new Map<string, FeedVpc>();
  for (const { value } of cache.lookup("defaultVpcs", region)) {
    const { vpcId, cidr } = value as Vpc;
    vpcs.set(vpcId, { vpcId, cidr });
  }
  const interfaces = new Map<string, FeedInterface>();
  for (const { value } of cache.lookup("interfacesByHost", host)) {
    const record = value as NetworkInterface;
    const { interfaceId, vpcId, subnetId, macAddress, privateIpv4Address } = record;
    const vpc = cache.get(vpcKey(record, vpcId))?.value as Vpc | undefined;
    const subnet = cache.get(subnetKey(record, subnetId))?.value as Subnet | undefined;
    if (!vpc || !subnet) continue;
    vpcs.set(vpcId, { vpcId, cidr: vpc.cidr });
    const place = { interfaceId, vpcId, subnetId, subnetCidr: subnet.cidr };
    interfaces.set(interfaceId, { ...place, macAddress, privateIpv4Address });
  }
  return { vpcs, interfaces };
}

function difference(told: Network, wanted: Network): FeedMessage | undefined {
  const put = {
    vpcs: changed(told.vpcs, wanted.vpcs),
    interfaces: changed(told.interfaces, wanted.interfaces),
  };
  const deleted = {
    vpcs: [...told.vpcs.keys()].filter((id) => !wanted.vpcs.has(id)),
    interfaces: [...told.interfaces.keys()].filter((id) => !wanted.interfaces.has(id)),
  };
  const isEmpty = [put.vpcs, put.interfaces, deleted.vpcs, deleted.interfaces].every(
    (list) => list.length === 0,
  );
  return isEmpty ? undefined : { type: "change", put, deleted };
}

function changed<T>(told: ReadonlyMap<string, T>, wanted: ReadonlyMap<string, T>): T[] {
  return [...wanted].flatMap(([id, value]) =>
    JSON.stringify(told.get(id)) === JSON.stringify(value) ? [] : [value],
  );
}

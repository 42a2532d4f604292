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
import { machineOf } from "../../iam/model/access-key.ts";
import type { Clock } from "../../lib/clock.ts";
import type { MessageSocket } from "../../lib/message-socket.ts";
import {
  type FeedInterface,
  type FeedMessage,
  type FeedVpc,
  NODE_FEED_PATH,
} from "../../protocol/node-feed.ts";
import type { Cache, CacheChange } from "../../store/cache.ts";
import { Alarm } from "./alarm.ts";
import { Connections } from "./connections.ts";
import { Heartbeat } from "./heartbeat.ts";

/** A reader that leaves more than this lying is not reading. */
const BUFFERED_BYTES_MAX = 8 * 2 ** 20;

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
    const host = `${call.region}/${machine}`;
    const accept = (socket: MessageSocket): void => {
      const session = new FeedSession(deps, { region: call.region, host, socket });
      sessions.add(session);
      connections.keep(session.run(signal).finally(() => sessions.delete(session)));
    };
    return { accept };
  };
  const run = async (signal: AbortSignal): Promise<void> => {
    const unsubscribe = deps.cache.subscribe((changes) => {
      const hosts = new Set(changes.flatMap(hostsOf));
      for (const session of sessions) {
        if (hosts.has(session.host) || hosts.has(EVERY_HOST)) session.wake();
      }
    });
    await connections.run(signal);
    unsubscribe();
  };
  return { route: { path: NODE_FEED_PATH, action: "gantry:NodeFeed", open }, run };
}

const EVERY_HOST = "*";

/** The machines that a change concerns. */
function hostsOf({ key, before, after }: CacheChange): readonly string[] {
  switch (ec2Kind(key)) {
    case "network-interfaces":
      return [before, after].flatMap((record) => {
        if (!record) return [];
        const { region, ec2InstanceId } = record.value as NetworkInterface;
        return [`${region}/${ec2InstanceId}`];
      });
    case "vpcs":
    case "subnets":
      return [EVERY_HOST];
    default:
      return [];
  }
}

/** By id: what a node has been told, or should be. */
interface Network {
  readonly vpcs: ReadonlyMap<string, FeedVpc>;
  readonly interfaces: ReadonlyMap<string, FeedInterface>;
}

class FeedSession {
  readonly #deps: NodeFeedDeps;
  /** `<region>/<ec2InstanceId>`. */
  readonly host: string;
  readonly #region: string;
  readonly #socket: MessageSocket;
  readonly #alarm: Alarm;
  readonly #heartbeat: Heartbeat;
  #told: Network | undefined;
  #isClosed = false;

  /** Must be called in the tick in which the socket was received. */
  constructor(
    deps: NodeFeedDeps,
    options: { region: string; host: string; socket: MessageSocket },
  ) {
    const { region, host, socket } = options;
    this.#deps = deps;
    this.host = host;
    this.#region = region;
    this.#socket = socket;
    this.#alarm = new Alarm(deps.clock);
    this.#heartbeat = new Heartbeat(deps.clock.now());
    // Nothing but answers to heartbeats comes up this way.
    socket.onMessage(() => this.#heartbeat.answered(deps.clock.now()));
    socket.onClose(() => {
      this.#isClosed = true;
      this.wake();
    });
  }

  wake(): void {
    this.#alarm.ring();
  }

  async run(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#close("the server is stopping");
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    while (!this.#isClosed) {
      this.#tell();
      this.#beat();
      if (!this.#isClosed) {
        await this.#alarm.rest(this.#heartbeat.untilNextMs(this.#deps.clock.now()));
      }
    }
    signal.removeEventListener("abort", stop);
  }

  #tell(): void {
    const wanted = networkOf(this.#deps.cache, this.#region, this.host);
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
    this.wake();
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

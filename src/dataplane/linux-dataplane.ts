/**
 * The dataplane on Linux. The kernel holds the state: nothing is kept on disk, and what an earlier process left, complete or not,
 * is adopted. In memory is only what spares looking again: `#observed` and `#links` are dropped whenever a change fails.
 */
import { join } from "node:path";
import type { Clock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { KeyedTurns, Permits } from "../lib/turns.ts";
import { NO_NETWORK, type NodeNetwork } from "../protocol/node-feed.ts";
import { AppliedNetwork, type Placement } from "./applied-network.ts";
import { BridgeNetwork } from "./bridge-network.ts";
import type { Command } from "./command.ts";
import { type CommandRunner, createCommandRunner, NETNS_DIRECTORY } from "./commands.ts";
import {
  type BridgeAttachment,
  type Dataplane,
  DataplaneError,
  type Namespaces,
  type PortMap,
} from "./dataplane.ts";
import { createHostPorts, type HostPorts } from "./host-ports.ts";
import { readHostRoutes } from "./host-routes.ts";
import { LINK_LOCAL_ADDRESS } from "./link-local.ts";
import { isRouter, type Names, namesOf } from "./names.ts";
import * as observe from "./observe.ts";
import { Overlays, VXLAN_UDP_PORT } from "./overlay.ts";
import { vniOf } from "./overlay-plan.ts";
import * as plan from "./plan.ts";
import { planNamespace } from "./router-plan.ts";
import type { HostSettings } from "./rules.ts";
import { takeSeat } from "./seat.ts";
import { chooseVpcCidr, findCollision } from "./vpc-cidr.ts";

export interface DataplaneOptions {
  /** 6 lowercase hex digits that no other Gantry on this machine has. */
  readonly systemId: string;
  readonly clock: Clock;
  readonly log: Log;
  /** TCP port on this machine's 127.0.0.1 that every task reaches as `http://169.254.170.2/`. */
  readonly endpointPort?: number | undefined;
  /** The AWS endpoint as this machine reaches it, which every task reaches as `169.254.170.2:4566`. */
  readonly apiForward?: { readonly address: string; readonly port: number } | undefined;
  /**
   * The IPv4 address by which other machines reach this one; absent: it has no others. What they send there to the UDP port is
   * believed by its source address: the network between machines must be their own.
   */
  readonly underlayAddress?: string | undefined;
  /** UDP port of the overlays between machines, the same on all; default {@link VXLAN_UDP_PORT}. */
  readonly overlayPort?: number | undefined;
  /**
   * Interfaces stand in the host's namespace for somebody else's agent, who finds each by its MAC address; `attach` is not for
   * them. Absent: each comes to be when a task is attached.
   */
  readonly offersInterfaces?: boolean | undefined;
  /** The network namespace that stands for the host; absent: the one of this process. */
  readonly hostNamespacePath?: string | undefined;
  /** The ports of that namespace; absent: those of this process's. */
  readonly hostPorts?: HostPorts | undefined;
}

export interface NodeDataplane extends Dataplane {
  /** Ends all waits and lets work under way finish. The network stays as it is. */
  close(): Promise<void>;
  /** Removes every namespace, link and rule of this system. */
  removeAll(): Promise<void>;
}

/** Chosen: each change keeps one core busy for some milliseconds; more at once only make each other slower. */
const TASK_CHANGES_MAX = 8;

/** Docker: where containers are that the ECS agent starts in network mode bridge. */
const DOCKER_BRIDGE = "docker0";

/** The dataplane of this machine. Throws SetupError when a tool is missing. */
export function createDataplane(options: DataplaneOptions): NodeDataplane {
  return new LinuxDataplane(options);
}

class LinuxDataplane implements NodeDataplane {
  readonly #log: Log;
  readonly #names: Names;
  readonly #runner: CommandRunner;
  readonly #applied: AppliedNetwork;
  readonly #networkTurns = new KeyedTurns();
  readonly #taskTurns = new KeyedTurns();
  readonly #permits = new Permits(TASK_CHANGES_MAX);
  readonly #settings: HostSettings;
  readonly #offersInterfaces: boolean;
  /** Links whose other end is offered, set up by this process. */
  readonly #offered = new Set<string>();
  readonly #hostPorts: HostPorts;
  readonly #bridge: BridgeNetwork;
  readonly #overlays: Overlays;
  /** Undefined: look before the next change. */
  #observed: plan.ObservedHost | undefined;
  /** VPC namespace of each task link that may exist. Holding one too many only costs a deletion that finds nothing. */
  readonly #links = new Map<string, string>();
  /** Link of each task that this process has attached. */
  readonly #attached = new Map<string, string>();
  /** Tasks whose namespace this process has made, with nothing in it yet. */
  readonly #empty = new Set<string>();
  #mtuBytes = 0;
  /** Chains already warned of. */
  #firewallDrops = "";
  /** The table of another system that came first: what it has is not taken from it. */
  #endpointsTaken: string | undefined;

  constructor(options: DataplaneOptions) {
    this.#log = options.log;
    this.#names = namesOf(options.systemId);
    this.#runner = createCommandRunner({
      hostNamespacePath: options.hostNamespacePath,
      isBusy: (namespace) => namespace === undefined || isRouter(this.#names, namespace),
      clock: options.clock,
    });
    this.#applied = new AppliedNetwork(options.clock);
    this.#settings = {
      endpoints: { port: options.endpointPort, api: options.apiForward },
      localAddress: options.underlayAddress,
      overlayPort: options.overlayPort ?? VXLAN_UDP_PORT,
      bridgeLink: options.offersInterfaces === true ? DOCKER_BRIDGE : this.#names.bridgeLink,
    };
    this.#offersInterfaces = options.offersInterfaces ?? false;
    this.#hostPorts = options.hostPorts ?? createHostPorts();
    this.#bridge = new BridgeNetwork({
      names: this.#names,
      runner: this.#runner,
      hostPorts: this.#hostPorts,
      settings: this.#settings,
      permits: this.#permits,
      exclusive: (work) => this.#networkTurns.take("", work),
      log: this.#log,
    });
    this.#overlays = new Overlays({
      names: this.#names,
      runner: this.#runner,
      localAddress: this.#settings.localAddress,
      udpPort: this.#settings.overlayPort,
    });
  }

  async apply(network: NodeNetwork): Promise<void> {
    await this.#networkTurns.take("", async () => {
      try {
        await this.#apply(network);
      } catch (error) {
        this.#applied.recordFailure(messageOf(error));
        throw error;
      }
    });
    await this.#bridge.adopt();
  }

  async attach(taskId: string, interfaceId: string, timeoutMs: number): Promise<string> {
    // Before its turn, so that a `detach` called after it always finds the wait to end.
    const waiting = this.#applied.wait(taskId, interfaceId, timeoutMs);
    waiting.catch(() => undefined);
    return this.#taskTurns.take(taskId, async () => {
      const placement = await waiting;
      await this.#permits.use(() => this.#attach(taskId, placement));
      return this.namespacePath(taskId);
    });
  }

  namespacePath(taskId: string): string {
    return join(NETNS_DIRECTORY, this.#names.taskNamespace(taskId));
  }

  async begin(taskId: string): Promise<void> {
    await this.#changeTask(taskId, async () => {
      const namespace = this.#names.taskNamespace(taskId);
      const state = await observe.namespaceState(namespace);
      await this.#runner.run(planNamespace(undefined, namespace, state));
      if (state !== "mounted") this.#empty.add(taskId);
    });
  }

  async isolate(taskId: string): Promise<string> {
    return this.#changeTask(taskId, async () => {
      const state = await observe.namespaceState(this.#names.taskNamespace(taskId));
      await this.#runner.run(plan.planIsolatedTask(this.#names, taskId, state));
      return this.namespacePath(taskId);
    });
  }

  async detach(taskId: string): Promise<void> {
    this.#applied.abandon(taskId, `task ${taskId} gave up its network while waiting for it`);
    await this.#changeTask(taskId, async () => {
      const state = await observe.namespaceState(this.#names.taskNamespace(taskId));
      if (state !== "absent") await this.#runner.run(plan.planDetachedTask(this.#names, taskId));
      const link = this.#attached.get(taskId);
      this.#attached.delete(taskId);
      this.#empty.delete(taskId);
      if (link !== undefined) this.#links.delete(link);
    });
  }

  attachBridge(containerId: string, ports: readonly PortMap[]): Promise<BridgeAttachment> {
    return this.#bridge.attach(containerId, ports);
  }

  detachBridge(containerId: string): Promise<void> {
    return this.#bridge.detach(containerId);
  }

  async namespaces(): Promise<Namespaces> {
    const { containerNamespace, namespacePrefix, taskNamespace } = this.#names;
    const namespaces = [...(await observe.listNamespaces(namespacePrefix)).keys()];
    return {
      taskIds: withoutPrefix(namespaces, taskNamespace("")),
      containerIds: withoutPrefix(namespaces, containerNamespace("")),
    };
  }

  async close(): Promise<void> {
    this.#applied.abandon(undefined, "the dataplane is closing");
    await Promise.all([this.#taskTurns.idle(), this.#bridge.idle()]);
    await this.#networkTurns.idle();
    this.#hostPorts.close();
    this.#runner.close();
  }

  async removeAll(): Promise<void> {
    await this.close();
    const observed = await observe.observeHost(this.#runner, this.#names);
    await this.#runner.run(plan.planRemoveAll(this.#names, observed));
    this.#observed = undefined;
    this.#bridge.forget();
    this.#overlays.forget();
    this.#links.clear();
    this.#attached.clear();
    this.#empty.clear();
    this.#applied.put(NO_NETWORK, new Map());
  }

  async #apply(network: NodeNetwork): Promise<void> {
    const observed = this.#observed ?? (await this.#adopt());
    const refusals = await this.#refuseCollisions(network, observed);
    const possible = { ...network, vpcs: network.vpcs.filter((vpc) => !refusals.has(vpc.vpcId)) };
    this.#applied.retain(possible);
    const removals = plan.planRemovedInterfaces(this.#names, possible, this.#links);
    const hostFindsEndpoints = this.#endpointsTaken === undefined;
    const settings = { ...this.#settings, hostFindsEndpoints };
    const { commands, after } = plan.planNetwork(this.#names, possible, observed, settings);
    const offers = this.#planOffers(possible);
    this.#observed = undefined;
    await this.#runner.run([...removals, ...commands, ...offers]);
    this.#observed = after;
    this.#forgetLinks(possible);
    this.#rememberOffers(possible);
    this.#applied.put(network, refusals);
    // Last, so that trouble between machines is none within this one.
    await this.#overlays.apply(possible);
    for (const refusal of refusals.values()) throw refusal;
  }

  /** Looks at what is there: at the start, and after a change that failed. */
  async #adopt(): Promise<plan.ObservedHost> {
    const observed = await observe.observeHost(this.#runner, this.#names);
    const links = await observe.observeInterfaceLinks(this.#runner, this.#names, observed);
    for (const [link, namespace] of links) this.#links.set(link, namespace);
    this.#offered.clear();
    this.#mtuBytes = observed.mtuBytes;
    this.#overlays.forget();
    await this.#heedOthers(await observe.observeOtherTables(this.#runner, this.#names));
    return observed;
  }

  /** Says, once for each state, that somebody else's rules stand in the way. They are the host's own business. */
  async #heedOthers({ endpoints, forwardDrops }: observe.OtherTables): Promise<void> {
    const drops = forwardDrops.join(", ");
    if (drops !== "" && drops !== this.#firewallDrops)
      this.#log.warn(
        "the host's firewall drops what it forwards: tasks reach the outside only once it accepts Gantry's links",
        { chains: drops, links: `${this.#names.hostLinkPrefix}*` },
      );
    this.#firewallDrops = drops;
    const taken =
      endpoints !== undefined && (await this.#isServed(endpoints)) ? endpoints : undefined;
    if (taken !== undefined && taken !== this.#endpointsTaken)
      this.#log.warn(
        `another Gantry of this machine has ${LINK_LOCAL_ADDRESS} of the host itself: tasks in network mode host find its endpoints there, not those of this one`,
        { table: taken },
      );
    this.#endpointsTaken = taken;
  }

  /** Whether anybody listens where the table leads: one that was never taken down leaves its table. */
  async #isServed(table: string): Promise<boolean> {
    const port = await observe.observeEndpointPort(this.#runner, table);
    if (port === undefined || !(await this.#hostPorts.hold("tcp", port))) return port !== undefined;
    this.#hostPorts.release("tcp", port);
    return false;
  }

  /** VPCs that would take away what the host can reach. Those that stand already are not asked again. */
  async #refuseCollisions(
    network: NodeNetwork,
    observed: plan.ObservedHost,
  ): Promise<ReadonlyMap<string, DataplaneError>> {
    const refusals = new Map<string, DataplaneError>();
    const fresh = network.vpcs.filter(
      (vpc) => !observed.links.has(this.#names.hostLink(vpc.vpcId)),
    );
    if (fresh.length === 0) return refusals;
    const routes = [...(await readHostRoutes(this.#runner))];
    for (const vpc of fresh) {
      const twin = network.vpcs.find(
        (other) => other !== vpc && vniOf(other.vpcId) === vniOf(vpc.vpcId),
      );
      if (twin !== undefined && !refusals.has(twin.vpcId)) {
        const reason = `${vpc.vpcId} and ${twin.vpcId} cannot be told apart between machines: only one of them can be on this one`;
        refusals.set(vpc.vpcId, new DataplaneError(reason));
        continue;
      }
      const device = this.#names.hostLink(vpc.vpcId);
      const route = findCollision(vpc.cidr, routes, device);
      if (route === undefined) routes.push({ cidr: vpc.cidr, device });
      else
        refusals.set(
          vpc.vpcId,
          new DataplaneError(
            `the network ${vpc.cidr} of ${vpc.vpcId} overlaps the route ${route.cidr} (${route.device}) of this machine: start again with --vpc-cidr (GANTRY_VPC_CIDR) and a network that is free, e.g. ${chooseVpcCidr(routes.map(({ cidr }) => cidr))}`,
          ),
        );
    }
    return refusals;
  }

  async #attach(taskId: string, placement: Placement): Promise<void> {
    const names = this.#names;
    const link = names.interfaceLink(placement.eni.interfaceId);
    const state = await observe.namespaceState(names.taskNamespace(taskId));
    if (state === "mounted" && this.#attached.get(taskId) === link) return;
    this.#links.set(link, names.vpcNamespace(placement.vpc.vpcId));
    const attachment = { ...placement, mtuBytes: this.#mtuBytes };
    const isEmpty = this.#empty.delete(taskId);
    await takeSeat(this.#runner, plan.taskSeat(names, taskId, attachment), this.#log, isEmpty);
    if (this.#applied.find(placement.eni.interfaceId) !== undefined) {
      this.#attached.set(taskId, link);
      return;
    }
    await this.#runner.run(plan.planDetachedTask(names, taskId));
    throw new DataplaneError(
      `interface ${placement.eni.interfaceId} was removed while task ${taskId} took it`,
    );
  }

  #changeTask<T>(taskId: string, work: () => Promise<T>): Promise<T> {
    return this.#taskTurns.take(taskId, () => this.#permits.use(work));
  }

  #forgetLinks(network: NodeNetwork): void {
    const kept = new Set(
      network.interfaces.map((eni) => this.#names.interfaceLink(eni.interfaceId)),
    );
    for (const link of this.#links.keys()) if (!kept.has(link)) this.#links.delete(link);
  }

  #planOffers(network: NodeNetwork): readonly Command[] {
    if (!this.#offersInterfaces) return [];
    const observed = { links: this.#links, complete: this.#offered, mtuBytes: this.#mtuBytes };
    return plan.planOffers(this.#names, network, observed);
  }

  #rememberOffers(network: NodeNetwork): void {
    if (!this.#offersInterfaces) return;
    this.#offered.clear();
    for (const { eni, link } of plan.offeredOf(this.#names, network)) {
      this.#offered.add(link);
      this.#links.set(link, this.#names.vpcNamespace(eni.vpcId));
    }
  }
}

function withoutPrefix(names: readonly string[], prefix: string): readonly string[] {
  return names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
}

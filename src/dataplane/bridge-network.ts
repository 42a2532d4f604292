/**
 * The bridge network of a node: what containers in network mode bridge are on. It is the node's own, so no feed speaks of it:
 * it is made when the first container asks, and what an earlier process has given is adopted from the kernel.
 */
import { join } from "node:path";
import type { Log } from "../lib/log.ts";
import { KeyedTurns, type Permits } from "../lib/turns.ts";
import * as plan from "./bridge-plan.ts";
import { type CommandRunner, NETNS_DIRECTORY } from "./commands.ts";
import type { BridgeAttachment, PortBinding, PortMap } from "./dataplane.ts";
import type { HostPorts } from "./host-ports.ts";
import { readHostRoutes } from "./host-routes.ts";
import type { Names } from "./names.ts";
import { namespaceState, observeAddresses, observeMtuBytes } from "./observe.ts";
import { type MappedPort, observeBridge } from "./observe-bridge.ts";
import { PortLedger } from "./port-ledger.ts";
import type { Router } from "./router-plan.ts";
import type { HostSettings } from "./rules.ts";
import { takeSeat } from "./seat.ts";
import { chooseBridgeCidr } from "./vpc-cidr.ts";

export interface BridgeNetworkDeps {
  readonly names: Names;
  readonly runner: CommandRunner;
  readonly hostPorts: HostPorts;
  readonly settings: HostSettings;
  readonly permits: Permits;
  /** Runs what chooses networks while nobody else does. */
  readonly exclusive: <T>(work: () => Promise<T>) => Promise<T>;
  readonly log: Log;
}

/** What a container has. Kept from the first attempt on, so that each further one makes the same. */
interface Place {
  readonly address: string;
  /** Undefined: an earlier process knew. */
  bindings: readonly PortBinding[] | undefined;
  /** What that process has mapped, as long as it holds. */
  mapped: readonly MappedPort[];
  isComplete: boolean;
}

/** The network as it was found or made by this process. */
interface OpenNetwork {
  readonly router: Router;
  readonly mtuBytes: number;
  readonly ledger: PortLedger;
  /** By the container's link. */
  readonly places: Map<string, Place>;
  /** Where the search for an address begins. */
  nextAddress: number;
}

export class BridgeNetwork {
  readonly #deps: BridgeNetworkDeps;
  readonly #turns = new KeyedTurns();
  #network: Promise<OpenNetwork> | undefined;

  constructor(deps: BridgeNetworkDeps) {
    this.#deps = deps;
  }

  /** See {@link Dataplane.attachBridge}. */
  attach(containerId: string, maps: readonly PortMap[]): Promise<BridgeAttachment> {
    return this.#turns.take(containerId, async () => {
      const network = await this.#open();
      return this.#deps.permits.use(() => this.#attach(network, containerId, maps));
    });
  }

  /** See {@link Dataplane.detachBridge}. */
  detach(containerId: string): Promise<void> {
    return this.#turns.take(containerId, async () => {
      const { names, permits, runner } = this.#deps;
      // Where no container ever was, none needs the network to be made.
      const state = await namespaceState(names.containerNamespace(containerId));
      if (this.#network === undefined && state === "absent") return;
      const { ledger, places } = await this.#open();
      const link = names.containerLink(containerId);
      const place = places.get(link);
      if (place === undefined && state === "absent") return;
      const bindings = place?.bindings ?? place?.mapped.map(plan.toBinding) ?? [];
      const container = { id: containerId, address: place?.address, bindings };
      await permits.use(() => runner.run(plan.planUnseated(names, container)));
      for (const binding of bindings) ledger.release(binding);
      places.delete(link);
    });
  }

  /** Takes up what an earlier process has left: its ports are held again, its rules are today's. */
  async adopt(): Promise<void> {
    if (this.#network !== undefined) return;
    if ((await namespaceState(this.#deps.names.bridgeNamespace)) !== "absent") await this.#open();
  }

  /** Resolves when nothing that was asked for by now is under way. */
  idle(): Promise<void> {
    return this.#turns.idle();
  }

  /** Looks again before the next change. */
  forget(): void {
    this.#network = undefined;
  }

  async #attach(
    network: OpenNetwork,
    containerId: string,
    maps: readonly PortMap[],
  ): Promise<BridgeAttachment> {
    const { log, names, runner } = this.#deps;
    const namespace = names.containerNamespace(containerId);
    const place = this.#placeOf(network, names.containerLink(containerId));
    place.bindings ??= await this.#bind(network, place, maps);
    const { address, bindings } = place;
    if (!place.isComplete || (await namespaceState(namespace)) !== "mounted") {
      const { mtuBytes, router } = network;
      const seat = plan.bridgeSeat(names, router, { id: containerId, address, mtuBytes });
      place.isComplete = false;
      await Promise.all([takeSeat(runner, seat, log), this.#map(place, bindings)]);
      place.isComplete = true;
    }
    return { path: join(NETNS_DIRECTORY, namespace), address, bindings };
  }

  #placeOf(network: OpenNetwork, link: string): Place {
    const known = network.places.get(link);
    if (known !== undefined) return known;
    const taken = new Set([...network.places.values()].map(({ address }) => address));
    const { block } = network.router;
    const address = plan.pickBridgeAddress(block, (one) => taken.has(one), network.nextAddress++);
    const place: Place = { address, bindings: undefined, mapped: [], isComplete: false };
    network.places.set(link, place);
    return place;
  }

  /** The ports of a place: those that an earlier process gave for the same maps, or fresh ones. */
  async #bind(
    { ledger }: OpenNetwork,
    place: Place,
    maps: readonly PortMap[],
  ): Promise<readonly PortBinding[]> {
    const adopted = plan.matchBindings(maps, place.mapped);
    if (adopted !== undefined) return adopted;
    await this.#unmap(ledger, place);
    const bindings: PortBinding[] = [];
    try {
      for (const map of maps) bindings.push(await ledger.take(map));
      return bindings;
    } catch (error) {
      for (const binding of bindings) ledger.release(binding);
      throw error;
    }
  }

  async #map({ address, mapped }: Place, bindings: readonly PortBinding[]): Promise<void> {
    const { names, runner } = this.#deps;
    // Flows to ports that an earlier process has mapped go where they should.
    const isFresh = mapped.length === 0 && bindings.some(({ protocol }) => protocol === "udp");
    const addresses = isFresh ? await observeAddresses(runner) : [];
    await runner.run(plan.planMapped(names, address, bindings, addresses));
  }

  /** Frees what an earlier process has mapped for other maps than today's. */
  async #unmap(ledger: PortLedger, place: Place): Promise<void> {
    const { address, mapped } = place;
    if (mapped.length === 0) return;
    const bindings = mapped.map(plan.toBinding);
    await this.#deps.runner.run(plan.planUnmapped(this.#deps.names, address, bindings));
    for (const binding of bindings) ledger.release(binding);
    place.mapped = [];
  }

  #open(): Promise<OpenNetwork> {
    if (this.#network !== undefined) return this.#network;
    const opening = this.#deps.exclusive(() => this.#make());
    this.#network = opening;
    opening.catch(() => {
      if (this.#network === opening) this.#network = undefined;
    });
    return opening;
  }

  async #make(): Promise<OpenNetwork> {
    const { hostPorts, log, names, runner, settings } = this.#deps;
    const [observed, mtuBytes] = await Promise.all([
      observeBridge(runner, names),
      observeMtuBytes(runner),
    ]);
    const cidr = observed.cidr ?? chooseBridgeCidr(await readHostRoutes(runner));
    const router = plan.bridgeRouter(names, cidr);
    await runner.run(plan.planBridge(names, router, { ...observed, mtuBytes }, settings));
    const ledger = new PortLedger(hostPorts);
    const places = new Map<string, Place>();
    for (const [link, address] of observed.addresses) {
      const mapped = observed.ports.filter((port) => port.address === address);
      places.set(link, { address, bindings: undefined, mapped, isComplete: false });
      for (const port of mapped)
        if (!(await ledger.adopt(plan.toBinding(port))))
          log.warn("a process listens on a port that leads to a container", { ...port });
    }
    return { router, mtuBytes, ledger, places, nextAddress: places.size };
  }
}

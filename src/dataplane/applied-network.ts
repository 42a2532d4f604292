import type { Clock } from "../lib/clock.ts";
import type { FeedInterface, FeedVpc, NodeNetwork } from "../protocol/node-feed.ts";
import { DataplaneError } from "./dataplane.ts";

/** An interface with what surrounds it. */
export interface Placement {
  readonly vpc: FeedVpc;
  readonly eni: FeedInterface;
}

interface Waiter {
  readonly taskId: string;
  readonly interfaceId: string;
  readonly resolve: (placement: Placement) => void;
  readonly reject: (error: DataplaneError) => void;
}

/**
 * The network as far as it has been made, and the tasks that wait for a part of it. Written by `apply` only; readers find
 * what they need or are woken when it comes.
 */
export class AppliedNetwork {
  readonly #clock: Clock;
  readonly #placements = new Map<string, Placement>();
  /** Interfaces that cannot be, because their VPC cannot. */
  readonly #refused = new Map<string, DataplaneError>();
  readonly #waiters = new Set<Waiter>();
  #lastFailure: string | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  find(interfaceId: string): Placement | undefined {
    return this.#placements.get(interfaceId);
  }

  /** Forgets every interface that `network` does not name. To be called before its link is removed. */
  retain(network: NodeNetwork): void {
    const kept = new Set(network.interfaces.map((eni) => eni.interfaceId));
    for (const id of this.#placements.keys()) if (!kept.has(id)) this.#placements.delete(id);
  }

  /** Records that `network` has been made, but for the VPCs in `refusals`. */
  put(network: NodeNetwork, refusals: ReadonlyMap<string, DataplaneError>): void {
    this.#lastFailure = undefined;
    this.#placements.clear();
    this.#refused.clear();
    const vpcs = new Map(network.vpcs.map((vpc) => [vpc.vpcId, vpc]));
    for (const eni of network.interfaces) {
      const vpc = vpcs.get(eni.vpcId);
      const refusal = refusals.get(eni.vpcId);
      if (refusal !== undefined) this.#refused.set(eni.interfaceId, refusal);
      else if (vpc !== undefined) this.#placements.set(eni.interfaceId, { vpc, eni });
    }
    for (const waiter of this.#waiters) this.#serve(waiter);
  }

  /** Records why the newest network could not be made; those who wait in vain are told. */
  recordFailure(reason: string): void {
    this.#lastFailure = reason;
  }

  /** The interface, once it is there. Throws DataplaneError after `timeoutMs`, or when the wait is abandoned. */
  async wait(taskId: string, interfaceId: string, timeoutMs: number): Promise<Placement> {
    const { promise, resolve, reject } = Promise.withResolvers<Placement>();
    const waiter: Waiter = { taskId, interfaceId, resolve, reject };
    this.#waiters.add(waiter);
    this.#serve(waiter);
    if (!this.#waiters.has(waiter)) return promise;
    const callOff = this.#clock.after(timeoutMs, () => {
      const why = this.#lastFailure === undefined ? "" : `: ${this.#lastFailure}`;
      const message = `interface ${interfaceId} was not ready after ${timeoutMs} ms${why}`;
      reject(new DataplaneError(message));
    });
    try {
      return await promise;
    } finally {
      this.#waiters.delete(waiter);
      callOff();
    }
  }

  /** Ends the waits of one task, or all of them. */
  abandon(taskId: string | undefined, reason: string): void {
    for (const waiter of this.#waiters)
      if (taskId === undefined || waiter.taskId === taskId)
        waiter.reject(new DataplaneError(reason));
  }

  #serve(waiter: Waiter): void {
    const placement = this.#placements.get(waiter.interfaceId);
    const refusal = this.#refused.get(waiter.interfaceId);
    if (placement === undefined && refusal === undefined) return;
    this.#waiters.delete(waiter);
    if (placement !== undefined) waiter.resolve(placement);
    else if (refusal !== undefined) waiter.reject(refusal);
  }
}

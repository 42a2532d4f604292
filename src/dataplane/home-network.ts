import { NO_NETWORK, type NodeNetwork } from "../protocol/node-feed.ts";
import type { Dataplane } from "./dataplane.ts";

/** Where on EC2 a machine would be: tasks of an account are there by default. */
export interface Home {
  readonly vpcId: string;
  readonly subnetId: string;
}

/** A dataplane that tells where its machine is, by the network that it has made last. */
export class HomeNetwork implements Pick<Dataplane, "apply"> {
  readonly #dataplane: Pick<Dataplane, "apply">;
  #network: NodeNetwork = NO_NETWORK;

  constructor(dataplane: Pick<Dataplane, "apply">) {
    this.#dataplane = dataplane;
  }

  async apply(network: NodeNetwork): Promise<void> {
    await this.#dataplane.apply(network);
    this.#network = network;
  }

  /** The account's default VPC with its subnet in the zone, or in any; undefined: the server has not told of it yet. */
  homeOf(accountId: string, zone: string): Home | undefined {
    for (const { defaultOf, vpcId } of this.#network.vpcs) {
      if (defaultOf?.accountId !== accountId) continue;
      const subnetId = defaultOf.subnetIds[zone] ?? Object.values(defaultOf.subnetIds)[0];
      return subnetId === undefined ? undefined : { vpcId, subnetId };
    }
    return undefined;
  }
}

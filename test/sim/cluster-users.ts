import type { SimClient } from "./client.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** Few, so that they are made anew while their deletion is remembered. */
const NAMES: readonly [string, ...string[]] = ["blue", "green"];

export interface ClusterUsersDeps {
  readonly client: SimClient;
  readonly random: SeededRandom;
}

/** Users who make clusters and delete them. */
export class ClusterUsers {
  readonly #deps: ClusterUsersDeps;

  constructor(deps: ClusterUsersDeps) {
    this.#deps = deps;
  }

  /** Does one drawn thing to a drawn cluster. */
  async act(): Promise<void> {
    const { client, random } = this.#deps;
    const name = random.pick(NAMES);
    if (random.chance(0.5)) await client.call("CreateCluster", { clusterName: name });
    else await client.call("DeleteCluster", { cluster: name });
  }
}

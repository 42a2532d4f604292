import type { StrategyItem } from "./capacity-strategy.ts";
import type { Scope } from "./keys.ts";

/** A cluster as it is stored. */
export interface Cluster extends Scope {
  readonly name: string;
  readonly status: "ACTIVE" | "INACTIVE";
  readonly settings: readonly ClusterSetting[];
  readonly tags: readonly Tag[];
  /** As given; nothing here reads it yet but Describe. */
  readonly configuration?: unknown;
  /** Names of what its tasks may be placed by. Absent: nobody has ever said. */
  readonly capacityProviders?: readonly string[];
  /** Of tasks that say neither launch type nor strategy. */
  readonly defaultCapacityProviderStrategy?: readonly StrategyItem[];
  readonly createdAt: number;
  /** INACTIVE only: since when, in epoch milliseconds. */
  readonly inactiveSince?: number;
}

export interface ClusterSetting {
  readonly name: string;
  readonly value: string;
}

export interface Tag {
  readonly key: string;
  readonly value: string;
}

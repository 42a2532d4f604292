import type { CapacityProviderStrategyItem } from "@aws-sdk/client-ecs";
import type { Cache } from "../../store/cache.ts";
import type { Compare, Write } from "../../store/store.ts";
import { type CapacityProvider, isFargateProvider } from "../model/capacity-provider.ts";
import {
  CAPACITY_PROVIDERS_MAX,
  findStrategyViolation,
  normaliseStrategy,
  type StrategyItem,
} from "../model/capacity-strategy.ts";
import { capacityProviderKey, type Scope } from "../model/keys.ts";
import { invalid } from "./invalid.ts";
import { providerNameOf } from "./resolve.ts";

/** The providers a cluster is to have, and its strategy for tasks that say nothing. */
export interface ClusterCapacity {
  readonly capacityProviders: readonly string[];
  readonly defaultCapacityProviderStrategy: readonly StrategyItem[];
}

interface GivenCapacity {
  readonly capacityProviders?: readonly string[] | undefined;
  readonly defaultCapacityProviderStrategy?: readonly CapacityProviderStrategyItem[] | undefined;
}

/** What a caller wants a cluster to have. Throws InvalidParameterException for what cannot be. */
export function readClusterCapacity(
  cache: Cache,
  scope: Scope,
  { capacityProviders = [], defaultCapacityProviderStrategy }: GivenCapacity,
): ClusterCapacity {
  if (capacityProviders.length > CAPACITY_PROVIDERS_MAX) {
    throw invalid(`A cluster can have a maximum of ${CAPACITY_PROVIDERS_MAX} capacity providers.`);
  }
  const names = capacityProviders.map((text) => requireProvider(cache, scope, text));
  const unique = [...new Set(names)];
  return {
    capacityProviders: unique,
    defaultCapacityProviderStrategy: readStrategy(scope, unique, defaultCapacityProviderStrategy),
  };
}

/** A caller's strategy in names of the cluster's providers. Throws InvalidParameterException. */
export function readStrategy(
  scope: Scope,
  clusterProviders: readonly string[],
  given: readonly CapacityProviderStrategyItem[] | undefined,
): readonly StrategyItem[] {
  const strategy = normaliseStrategy(given).map((item) => ({
    ...item,
    capacityProvider: providerNameOf(scope, item.capacityProvider) ?? item.capacityProvider,
  }));
  const violation = findStrategyViolation(strategy);
  if (violation !== undefined) throw invalid(violation);
  if (strategy.every(({ capacityProvider }) => clusterProviders.includes(capacityProvider))) {
    return strategy;
  }
  throw invalid(
    "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. Associate the capacity provider with the cluster or specify a valid capacity provider and try again.",
  );
}

function requireProvider(cache: Cache, scope: Scope, text: string): string {
  const name = providerNameOf(scope, text);
  if (name !== undefined && isFargateProvider(name)) return name;
  const record = name === undefined ? undefined : cache.get(capacityProviderKey(scope, name));
  const provider = record?.value as CapacityProvider | undefined;
  if (provider?.status === "ACTIVE") return provider.name;
  throw invalid(
    "The specified capacity provider was not found. Specify a valid capacity provider and try again",
  );
}

/**
 * What goes with a transaction after which a cluster has these providers: each record is compared and rewritten
 * unchanged, so that nobody deletes a provider on the word of a look before.
 */
export function useProviders(
  cache: Cache,
  scope: Scope,
  { capacityProviders }: ClusterCapacity,
): { readonly compare: readonly Compare[]; readonly write: readonly Write[] } {
  const records = capacityProviders
    .filter((name) => !isFargateProvider(name))
    .flatMap((name) => cache.get(capacityProviderKey(scope, name)) ?? []);
  return {
    compare: records.map(({ key, revision }) => ({ key, revision })),
    write: records.map(({ key, value }) => ({ key, value })),
  };
}

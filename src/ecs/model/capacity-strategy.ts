import type { CapacityProviderStrategyItem } from "@aws-sdk/client-ecs";
import { isFargateProvider } from "./capacity-provider.ts";

/** One part of a strategy, defaults filled in. */
export interface StrategyItem {
  /** The provider's name. */
  readonly capacityProvider: string;
  /** Its share of the tasks beyond all bases. */
  readonly weight: number;
  /** Tasks that it gets before all others. */
  readonly base: number;
}

/** ECS: parts of one strategy, and providers of one cluster. */
export const CAPACITY_PROVIDERS_MAX = 20;
const WEIGHT_MAX = 1000;
const BASE_MAX = 100_000;

/** A strategy as it is stored and shown: ECS fills in zeros. */
export function normaliseStrategy(
  given: readonly CapacityProviderStrategyItem[] = [],
): readonly StrategyItem[] {
  return given.map(({ capacityProvider = "", weight = 0, base = 0 }) => ({
    capacityProvider,
    weight,
    base,
  }));
}

/** What is wrong with a strategy wherever it is used, as the message of an InvalidParameterException. */
export function findStrategyViolation(strategy: readonly StrategyItem[]): string | undefined {
  if (strategy.length > CAPACITY_PROVIDERS_MAX) {
    return `A capacity provider strategy can contain a maximum of ${CAPACITY_PROVIDERS_MAX} capacity providers.`;
  }
  for (const { weight, base } of strategy) {
    if (!isWithin(weight, WEIGHT_MAX)) return `weight must be between 0 and ${WEIGHT_MAX}.`;
    if (!isWithin(base, BASE_MAX)) return `base must be between 0 and ${BASE_MAX}.`;
  }
  const names = strategy.map(({ capacityProvider }) => capacityProvider);
  if (new Set(names).size < names.length) {
    return "A capacity provider strategy cannot contain a capacity provider more than once.";
  }
  if (strategy.filter(({ base }) => base > 0).length > 1) {
    return "The specified capacity provider strategy contains multiple capacity providers with a base value defined.";
  }
  const fargateCount = names.filter(isFargateProvider).length;
  return fargateCount > 0 && fargateCount < names.length
    ? "A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and Fargate providers. Specify one or the other and try again."
    : undefined;
}

function isWithin(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}

/** ECS: a cluster may have a strategy of several parts without weight, but no task can be placed by it. */
export function canPlace(strategy: readonly StrategyItem[]): boolean {
  return strategy.length === 1 || strategy.some(({ weight }) => weight > 0);
}

/**
 * The provider of each of `count` tasks in turn: the base first, and after it whoever has the fewest tasks for its weight,
 * ties in the order of the strategy (`ecs-behaviour` §4.6). Expects a strategy that {@link canPlace}.
 */
export function distribute(strategy: readonly StrategyItem[], count: number): readonly string[] {
  const [only] = strategy;
  if (only && strategy.length === 1) return Array(count).fill(only.capacityProvider);
  const withBase = strategy.find(({ base }) => base > 0);
  const baseCount = Math.min(withBase?.base ?? 0, count);
  const chosen: string[] = Array(baseCount).fill(withBase?.capacityProvider);
  const shares = strategy.filter(({ weight }) => weight > 0).map((item) => ({ item, tasks: 0 }));
  while (chosen.length < count) {
    const next = shares.reduce((a, b) =>
      b.tasks * a.item.weight < a.tasks * b.item.weight ? b : a,
    );
    next.tasks++;
    chosen.push(next.item.capacityProvider);
  }
  return chosen;
}

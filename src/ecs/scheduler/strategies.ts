import type { Random } from "../../lib/random.ts";
import { attributeOf } from "../model/instance.ts";
import { type Candidate, type PlacementRequest, pick, remainingAmount } from "./snapshot.ts";

/**
 * The candidate that the request's strategies like best, of those that could take the task. Each strategy narrows the
 * choice of the one before; chance decides what remains.
 */
export function choose(
  eligible: readonly Candidate[],
  all: readonly Candidate[],
  request: PlacementRequest,
  random: Random,
): Candidate | undefined {
  const best = request.strategies.reduce(
    (choices, strategy) => leastOf(choices, costOf(strategy, all, request.group)),
    eligible,
  );
  return pick(best, random);
}

type Cost = (candidate: Candidate) => number;

function costOf(
  strategy: PlacementRequest["strategies"][number],
  all: readonly Candidate[],
  group: string,
): Cost {
  switch (strategy.type) {
    case "random":
      return () => 0;
    case "binpack":
      return (candidate) => remainingAmount(candidate, strategy.resource);
    case "spread": {
      const counts = new Map<string, number>();
      for (const candidate of all) {
        const value = spreadValue(candidate, strategy.attribute);
        counts.set(value, (counts.get(value) ?? 0) + (candidate.groups.get(group) ?? 0));
      }
      return (candidate) => counts.get(spreadValue(candidate, strategy.attribute)) ?? 0;
    }
  }
}

/** What tasks are spread over. Instances without the attribute count as one place. */
function spreadValue({ instance }: Candidate, attribute: string | undefined): string {
  return attribute === undefined ? instance.id : (attributeOf(instance, attribute) ?? "");
}

function leastOf(candidates: readonly Candidate[], cost: Cost): readonly Candidate[] {
  const costs = candidates.map(cost);
  const least = costs.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  return candidates.filter((_, index) => costs[index] === least);
}

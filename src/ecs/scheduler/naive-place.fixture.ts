import { attributeOf } from "../model/instance.ts";
import { add } from "../model/resources.ts";
import { FILTERS } from "./filters.ts";
import { type Candidate, gpusLeft, type PlacementRequest, remainingAmount } from "./snapshot.ts";

/** The candidates that a task may go to, as one would write it down first: what the fast search is compared with. */
export function choicesOf(
  candidates: readonly Candidate[],
  request: PlacementRequest,
): readonly Candidate[] {
  const eligible = candidates.filter((candidate) =>
    FILTERS.every((filter) => filter.check(candidate, request)),
  );
  return request.strategies.reduce<readonly Candidate[]>(
    (choices, strategy) => leastOf(choices, costOf(strategy, candidates, request.group)),
    eligible,
  );
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

function spreadValue({ instance }: Candidate, attribute: string | undefined): string {
  return attribute === undefined ? instance.id : (attributeOf(instance, attribute) ?? "");
}

function leastOf(candidates: readonly Candidate[], cost: Cost): readonly Candidate[] {
  const costs = candidates.map(cost);
  const least = costs.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  return candidates.filter((_, index) => costs[index] === least);
}

/** A candidate after a task went to `chosen`: every instance of that machine has less left. */
export function withTask(
  candidate: Candidate,
  chosen: Candidate,
  { needs, group, gpuCount = 0 }: PlacementRequest,
): Candidate {
  if (candidate.instance.ec2InstanceId !== chosen.instance.ec2InstanceId) return candidate;
  const gpus = gpusLeft(candidate).slice(0, gpuCount);
  const taken = add(candidate.taken, { ...needs, gpus });
  if (candidate !== chosen) return { ...candidate, taken };
  const groups = new Map(candidate.groups);
  return { ...candidate, taken, groups: groups.set(group, (groups.get(group) ?? 0) + 1) };
}

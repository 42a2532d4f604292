import type { Random } from "../../lib/random.ts";
import { availabilityZoneOf } from "../model/instance.ts";
import { add } from "../model/resources.ts";
import { FILTERS } from "./filters.ts";
import {
  type Candidate,
  type Placed,
  type PlacementRequest,
  pick,
  type Refusal,
  type Snapshot,
} from "./snapshot.ts";
import { choose } from "./strategies.ts";

/** Where tasks go, and for those that go nowhere one refusal of every instance tried. */
export interface Placements {
  readonly placed: readonly Placed[];
  readonly unplacedCount: number;
  /** Of each unplaced task the same: tasks of one request are equal, and nothing became free between them. */
  readonly refusals: readonly Refusal[];
}

/**
 * Finds places for the request's tasks, one after the other, so that each sees what the ones before it took. Pure:
 * equal input gives equal placements.
 */
export function place(snapshot: Snapshot, request: PlacementRequest, random: Random): Placements {
  const placed: Placed[] = [];
  let { candidates } = snapshot;
  while (placed.length < request.count) {
    const eligible: Candidate[] = [];
    const refusals: Refusal[] = [];
    for (const candidate of candidates) {
      const refusal = refuse(candidate, request);
      if (refusal) refusals.push(refusal);
      else eligible.push(candidate);
    }
    const chosen = choose(eligible, candidates, request, random);
    if (!chosen) return { placed, unplacedCount: request.count - placed.length, refusals };
    placed.push(placedOn(chosen, request, random));
    candidates = candidates.map((candidate) => withTask(candidate, chosen, request));
  }
  return { placed, unplacedCount: 0, refusals: [] };
}

function refuse(candidate: Candidate, request: PlacementRequest): Refusal | undefined {
  const passedCount = FILTERS.findIndex((filter) => !filter.check(candidate, request));
  const filter = FILTERS[passedCount];
  return (
    filter && { instance: candidate.instance, passedCount, ...filter.explain(candidate, request) }
  );
}

function placedOn({ instance }: Candidate, { subnets }: PlacementRequest, random: Random): Placed {
  const zone = availabilityZoneOf(instance);
  const subnet = pick(
    (subnets ?? []).filter(({ availabilityZone }) => availabilityZone === zone),
    random,
  );
  return { instance, ...(subnet && { subnetId: subnet.subnetId }) };
}

/** A candidate after a task went to `chosen`: every instance of that machine has less left. */
function withTask(
  candidate: Candidate,
  chosen: Candidate,
  { needs, group }: PlacementRequest,
): Candidate {
  if (candidate.instance.ec2InstanceId !== chosen.instance.ec2InstanceId) return candidate;
  const taken = add(candidate.taken, needs);
  if (candidate !== chosen) return { ...candidate, taken };
  const groups = new Map(candidate.groups);
  return { ...candidate, taken, groups: groups.set(group, (groups.get(group) ?? 0) + 1) };
}

import { assert } from "../../lib/errors.ts";
import type { Random } from "../../lib/random.ts";
import { availabilityZoneOf } from "../model/instance.ts";
import type { Board } from "./board.ts";
import { FILTERS } from "./filters.ts";
import { Search } from "./search.ts";
import {
  type Candidate,
  gpusLeft,
  type Placed,
  type PlacementRequest,
  pick,
  type Refusal,
} from "./snapshot.ts";

/** Where tasks go, and for those that go nowhere one refusal of every instance tried. */
export interface Placements {
  readonly placed: readonly Placed[];
  readonly unplacedCount: number;
  /** Of each unplaced task the same: tasks of one request are equal, and nothing became free between them. */
  readonly refusals: readonly Refusal[];
}

/**
 * Finds places for the request's tasks, one after the other, so that each sees what the ones before it took. Pure: equal
 * boards and requests give equal placements, and the board stays as it is.
 */
export function place(board: Board, request: PlacementRequest, random: Random): Placements {
  const search = new Search(board, request);
  const placed: Placed[] = [];
  while (placed.length < request.count) {
    const row = search.best(random);
    if (row === undefined) break;
    placed.push(placedOn(search.candidate(row), request, random));
    search.take(row);
  }
  const unplacedCount = request.count - placed.length;
  const refusals =
    unplacedCount === 0
      ? []
      : board.candidates.map((_, row) => explain(search.candidate(row), request));
  return { placed, unplacedCount, refusals };
}

/** Why a candidate that cannot take a task cannot: the first filter that says no. */
function explain(candidate: Candidate, request: PlacementRequest): Refusal {
  const { instance } = candidate;
  const index = FILTERS.findIndex((one) => !one.check(candidate, request));
  const filter = FILTERS[index];
  assert(filter, `instance ${instance.id} passes every filter and was not eligible`);
  const passed = FILTERS.slice(0, index).map(({ name }) => name);
  return { instance, passed, failed: filter.name, ...filter.explain(candidate, request) };
}

function placedOn(candidate: Candidate, request: PlacementRequest, random: Random): Placed {
  const { instance } = candidate;
  const zone = availabilityZoneOf(instance);
  const { subnets = [], gpuCount = 0 } = request;
  const subnet = pick(
    subnets.filter(({ availabilityZone }) => availabilityZone === zone),
    random,
  );
  return {
    instance,
    ...(subnet && { subnetId: subnet.subnetId }),
    ...(gpuCount > 0 && { gpuIds: gpusLeft(candidate).slice(0, gpuCount) }),
  };
}

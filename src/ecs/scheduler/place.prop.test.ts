import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Random } from "../../lib/random.ts";
import { parseQuery } from "../model/query-parse.ts";
import { add, NO_RESOURCES, remainingOf } from "../model/resources.ts";
import { Board } from "./board.ts";
import { FILTERS } from "./filters.ts";
import { choicesOf, withTask } from "./naive-place.fixture.ts";
import { type Placements, place } from "./place.ts";
import { buildCandidate, buildRequest } from "./scheduler.fixture.ts";
import { Search } from "./search.ts";
import type { Candidate, PlacementRequest, Strategy } from "./snapshot.ts";

/** A small linear congruential generator: the same seed gives the same chances. */
function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    next: () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    },
    hex: () => "",
    uuid: () => "",
    bytes: () => new Uint8Array(),
  };
}

const ports = fc.uniqueArray(fc.integer({ min: 8000, max: 8003 }), { maxLength: 2 });
const resources = fc.record({
  cpuUnits: fc.integer({ min: 0, max: 2048 }),
  memoryMiB: fc.integer({ min: 0, max: 4096 }),
  ports,
  portsUdp: ports,
});

/** Some machines, of which each may have two registrations. */
const candidates: fc.Arbitrary<Candidate[]> = fc
  .array(
    fc.record({
      machine: fc.integer({ min: 0, max: 3 }),
      agentConnected: fc.boolean(),
      isActive: fc.boolean(),
      zone: fc.constantFrom("us-east-1a", "us-east-1b"),
      stack: fc.option(fc.constantFrom("red", "blue")),
      registered: resources,
      gpuCount: fc.integer({ min: 0, max: 3 }),
      unconfirmedCount: fc.constantFrom(0, 0, 0, 1),
      runningTasksCount: fc.integer({ min: 0, max: 3 }),
      groupCount: fc.integer({ min: 0, max: 2 }),
    }),
    { maxLength: 6 },
  )
  .chain((drafts) =>
    fc.array(resources, { minLength: 4, maxLength: 4 }).map((taken) =>
      drafts.map((draft, index) => {
        const { machine, registered, zone, stack, gpuCount } = draft;
        const gpus = Array.from({ length: gpuCount }, (_, gpu) => `gpu-${gpu}`);
        return buildCandidate(
          index,
          {
            ec2InstanceId: `i-${machine}`,
            agentConnected: draft.agentConnected,
            status: draft.isActive ? "ACTIVE" : "DRAINING",
            registered: { ...registered, gpus },
            attributes: [
              { name: "ecs.availability-zone", value: zone },
              ...(stack === null ? [] : [{ name: "stack", value: stack }]),
            ],
          },
          {
            taken: { ...NO_RESOURCES, ...taken[machine], gpus: machine % 2 === 0 ? [] : ["gpu-0"] },
            unconfirmedCount: draft.unconfirmedCount,
            runningTasksCount: draft.runningTasksCount,
            groups: new Map(draft.groupCount > 0 ? [["family:hello", draft.groupCount]] : []),
          },
        );
      }),
    ),
  );

const strategies: fc.Arbitrary<Strategy[]> = fc.array(
  fc.constantFrom<Strategy>(
    { type: "random" },
    { type: "spread", attribute: undefined },
    { type: "spread", attribute: "ecs.availability-zone" },
    { type: "spread", attribute: "stack" },
    { type: "binpack", resource: "cpuUnits" },
    { type: "binpack", resource: "memoryMiB" },
  ),
  { maxLength: 3 },
);

const request: fc.Arbitrary<PlacementRequest> = fc
  .record({
    count: fc.integer({ min: 1, max: 10 }),
    needs: resources,
    strategies,
    isDistinct: fc.boolean(),
    gpuCount: fc.constantFrom(0, 0, 1, 2),
    expression: fc.option(
      fc.constantFrom(
        "attribute:stack == red",
        "attribute:stack !exists or attribute:ecs.availability-zone == us-east-1b",
        "runningTasksCount < 2",
        "not(task:group == family:hello) and attribute:stack exists",
      ),
    ),
    zones: fc.option(fc.subarray(["us-east-1a", "us-east-1b"])),
  })
  .map(({ isDistinct, expression, zones, ...rest }) =>
    buildRequest({
      ...rest,
      constraints: [
        ...(isDistinct ? [{ type: "distinctInstance" } as const] : []),
        ...(expression === null
          ? []
          : [{ type: "memberOf", expression: parseQuery(expression) } as const]),
      ],
      ...(zones && {
        subnets: zones.map((zone) => ({ subnetId: `in-${zone}`, availabilityZone: zone })),
      }),
    }),
  );

/** The candidates as they stand after the placements. */
function after(
  before: readonly Candidate[],
  { needs }: PlacementRequest,
  { placed }: Placements,
): readonly Candidate[] {
  return before.map((candidate) => {
    const { ec2InstanceId } = candidate.instance;
    const taken = placed
      .filter(({ instance }) => instance.ec2InstanceId === ec2InstanceId)
      .reduce((sum) => add(sum, needs), candidate.taken);
    return { ...candidate, taken };
  });
}

test("each task has the choice that looking at every candidate would give it", () => {
  fc.assert(
    fc.property(candidates, request, fc.integer(), (all, asked, seed) => {
      const random = seededRandom(seed);
      const board = Board.of(all);
      const search = new Search(board, asked);
      let naively = all.map((candidate, row): readonly [number, Candidate] => [row, candidate]);
      for (let count = 0; count <= asked.count; count++) {
        const expected = choicesOf(
          naively.map(([, candidate]) => candidate),
          asked,
        );
        const ties = search.ties().toSorted((a, b) => a - b);
        assert.deepEqual(
          ties,
          naively.filter(([, candidate]) => expected.includes(candidate)).map(([row]) => row),
        );
        const row = search.best(random);
        if (row === undefined) {
          assert.deepEqual(ties, []);
          return;
        }
        assert.ok(ties.includes(row));
        const chosen = naively[row]?.[1];
        assert.ok(chosen);
        naively = naively.map(([at, one]) => [at, withTask(one, chosen, asked)]);
        search.take(row);
        assert.deepEqual(plainOf(search.candidate(row)), plainOf(naively[row]?.[1]));
      }
    }),
    { numRuns: 1500 },
  );
});

test("a board that was changed step by step offers what one that was made at once does", () => {
  const steps = fc.array(
    fc.record({ from: candidates, index: fc.nat({ max: 5 }), isDeletion: fc.boolean() }),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(steps, fc.array(request, { minLength: 1, maxLength: 3 }), (changes, asked) => {
      const board = new Board();
      for (const { from, index, isDeletion } of changes) {
        const candidate = from[index];
        // Whatever a board remembers of a request must not outlive the change.
        for (const one of asked) place(board, one, seededRandom(1));
        if (isDeletion || candidate === undefined) board.delete(`instance-${index}`);
        else board.set(candidate);
      }
      const fresh = Board.of(board.candidates);
      for (const one of asked) {
        const ties = (of: Board): readonly number[] => new Search(of, one).ties().toSorted();
        assert.deepEqual(ties(board), ties(fresh));
      }
    }),
    { numRuns: 500 },
  );
});

/** Maps compare by their entries' order, which says nothing here. */
function plainOf(candidate: Candidate | undefined): unknown {
  const { groups = new Map(), ...rest } = candidate ?? {};
  return { ...rest, groups: Object.fromEntries(groups) };
}

test("place() never exceeds a machine", () => {
  fc.assert(
    fc.property(candidates, request, fc.integer(), (all, asked, seed) => {
      const placements = place(Board.of(all), asked, seededRandom(seed));
      const used = new Set(placements.placed.map(({ instance }) => instance.id));
      for (const candidate of after(all, asked, placements)) {
        if (!used.has(candidate.instance.id)) continue;
        const left = remainingOf(candidate.instance, candidate.taken);
        if (asked.needs.cpuUnits > 0) assert.ok(left.cpuUnits >= 0);
        if (asked.needs.memoryMiB > 0) assert.ok(left.memoryMiB >= 0);
      }
    }),
  );
});

test("place() never gives one port of a machine to two tasks", () => {
  fc.assert(
    fc.property(candidates, request, fc.integer(), (all, asked, seed) => {
      if (asked.needs.ports.length + asked.needs.portsUdp.length === 0) return;
      const { placed } = place(Board.of(all), asked, seededRandom(seed));
      const machines = placed.map(({ instance }) => instance.ec2InstanceId);
      assert.equal(new Set(machines).size, machines.length);
    }),
  );
});

test("place() puts an awsvpc task into a subnet of its instance's zone", () => {
  fc.assert(
    fc.property(candidates, request, fc.integer(), (all, asked, seed) => {
      for (const { instance, subnetId } of place(Board.of(all), asked, seededRandom(seed)).placed) {
        const zone = instance.attributes[0]?.value;
        assert.equal(subnetId, asked.subnets && `in-${zone}`);
      }
    }),
  );
});

test("place() is deterministic for equal input", () => {
  fc.assert(
    fc.property(candidates, request, fc.integer(), (all, asked, seed) => {
      assert.deepEqual(
        place(Board.of(all), asked, seededRandom(seed)),
        place(Board.of(all), asked, seededRandom(seed)),
      );
    }),
  );
});

test("every refusal is explained: each instance tried, by a filter that says no", () => {
  fc.assert(
    fc.property(candidates, request, fc.integer(), (all, asked, seed) => {
      const placements = place(Board.of(all), asked, seededRandom(seed));
      assert.equal(placements.placed.length + placements.unplacedCount, asked.count);
      if (placements.unplacedCount === 0) return;
      assert.deepEqual(
        placements.refusals.map(({ instance }) => instance.id),
        all.map(({ instance }) => instance.id),
      );
      for (const { reason, detail, passed, failed } of placements.refusals) {
        assert.ok(reason && detail);
        assert.equal(FILTERS[passed.length]?.name, failed);
      }
    }),
  );
});

test("spread over instances differs by at most one when all fit", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 10 }),
      fc.integer(),
      (instanceCount, count, seed) => {
        const all = Array.from({ length: instanceCount }, (_, number) => buildCandidate(number));
        const asked = buildRequest({
          count,
          needs: { cpuUnits: 1, memoryMiB: 1, ports: [], portsUdp: [] },
          strategies: [{ type: "spread", attribute: undefined }],
        });
        const { placed } = place(Board.of(all), asked, seededRandom(seed));
        const counts = all.map(
          ({ instance }) => placed.filter((one) => one.instance.id === instance.id).length,
        );
        assert.ok(Math.max(...counts) - Math.min(...counts) <= 1);
      },
    ),
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Random } from "../../lib/random.ts";
import { add, remainingOf } from "../model/resources.ts";
import { FILTERS } from "./filters.ts";
import { type Placements, place } from "./place.ts";
import { buildCandidate, buildRequest } from "./scheduler.fixture.ts";
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
      registered: resources,
    }),
    { maxLength: 6 },
  )
  .chain((drafts) =>
    fc.array(resources, { minLength: 4, maxLength: 4 }).map((taken) =>
      drafts.map(({ machine, agentConnected, isActive, zone, registered }, index) =>
        buildCandidate(
          index,
          {
            ec2InstanceId: `i-${machine}`,
            agentConnected,
            status: isActive ? "ACTIVE" : "DRAINING",
            registered,
            attributes: [{ name: "ecs.availability-zone", value: zone }],
          },
          { ...(taken[machine] && { taken: taken[machine] }) },
        ),
      ),
    ),
  );

const strategies: fc.Arbitrary<Strategy[]> = fc.array(
  fc.constantFrom<Strategy>(
    { type: "random" },
    { type: "spread", attribute: undefined },
    { type: "spread", attribute: "ecs.availability-zone" },
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
    zones: fc.option(fc.subarray(["us-east-1a", "us-east-1b"])),
  })
  .map(({ isDistinct, zones, ...rest }) =>
    buildRequest({
      ...rest,
      constraints: isDistinct ? [{ type: "distinctInstance" }] : [],
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

test("place() never exceeds a machine", () => {
  fc.assert(
    fc.property(candidates, request, fc.integer(), (all, asked, seed) => {
      const placements = place({ candidates: all }, asked, seededRandom(seed));
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
      const { placed } = place({ candidates: all }, asked, seededRandom(seed));
      const machines = placed.map(({ instance }) => instance.ec2InstanceId);
      assert.equal(new Set(machines).size, machines.length);
    }),
  );
});

test("place() puts an awsvpc task into a subnet of its instance's zone", () => {
  fc.assert(
    fc.property(candidates, request, fc.integer(), (all, asked, seed) => {
      for (const { instance, subnetId } of place({ candidates: all }, asked, seededRandom(seed))
        .placed) {
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
        place({ candidates: all }, asked, seededRandom(seed)),
        place({ candidates: all }, asked, seededRandom(seed)),
      );
    }),
  );
});

test("every refusal is explained: each instance tried, by a filter that says no", () => {
  fc.assert(
    fc.property(candidates, request, fc.integer(), (all, asked, seed) => {
      const placements = place({ candidates: all }, asked, seededRandom(seed));
      assert.equal(placements.placed.length + placements.unplacedCount, asked.count);
      if (placements.unplacedCount === 0) return;
      assert.deepEqual(
        placements.refusals.map(({ instance }) => instance.id),
        all.map(({ instance }) => instance.id),
      );
      for (const { reason, detail, passedCount } of placements.refusals) {
        assert.ok(reason && detail && FILTERS[passedCount]);
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
        const { placed } = place({ candidates: all }, asked, seededRandom(seed));
        const counts = all.map(
          ({ instance }) => placed.filter((one) => one.instance.id === instance.id).length,
        );
        assert.ok(Math.max(...counts) - Math.min(...counts) <= 1);
      },
    ),
  );
});

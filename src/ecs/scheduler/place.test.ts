import assert from "node:assert/strict";
import { test } from "node:test";
import type { Random } from "../../lib/random.ts";
import { parseQuery } from "../model/query-parse.ts";
import { NO_RESOURCES } from "../model/resources.ts";
import { Board } from "./board.ts";
import { place } from "./place.ts";
import { buildCandidate, buildRequest, inZone } from "./scheduler.fixture.ts";
import type { Candidate, PlacementRequest } from "./snapshot.ts";

/** Always takes the first choice. */
const first: Random = {
  next: () => 0,
  hex: () => "",
  uuid: () => "",
  bytes: () => new Uint8Array(),
};

function placedIds(candidates: readonly Candidate[], request: PlacementRequest): string[] {
  return place(Board.of(candidates), request, first).placed.map(({ instance }) => instance.id);
}

function reasonOf(candidate: Candidate, request: PlacementRequest): string | undefined {
  return place(Board.of([candidate]), request, first).refusals[0]?.reason;
}

const needs = buildRequest().needs;

test("place() names the first thing in the way, in ECS's words", () => {
  const cases: readonly (readonly [string | undefined, Candidate, Partial<PlacementRequest>])[] = [
    [undefined, buildCandidate(1), {}],
    ["AGENT", buildCandidate(1, { agentConnected: false }), {}],
    ["AGENT", buildCandidate(1, { status: "DRAINING" }), {}],
    ["RESOURCE:CPU", buildCandidate(1), { needs: { ...needs, cpuUnits: 4097 } }],
    ["RESOURCE:MEMORY", buildCandidate(1), { needs: { ...needs, memoryMiB: 8193 } }],
    ["RESOURCE:PORTS", buildCandidate(1), { needs: { ...needs, ports: [22] } }],
    [
      "RESOURCE:PORTS_UDP",
      buildCandidate(1, {}, { taken: { ...NO_RESOURCES, portsUdp: [53] } }),
      { needs: { ...needs, portsUdp: [53] } },
    ],
    ["ATTRIBUTE", buildCandidate(1), { attributes: [{ name: "gpu" }] }],
    [
      "ATTRIBUTE",
      buildCandidate(1),
      { attributes: [{ name: "ecs.cpu-architecture", value: "arm64" }] },
    ],
    [
      "LOCATION",
      buildCandidate(1),
      { subnets: [{ subnetId: "subnet-b", availabilityZone: "us-east-1b" }] },
    ],
    [
      "DistinctInstance placement constraint unsatisfied.",
      buildCandidate(1, {}, { groups: new Map([["family:hello", 1]]) }),
      { constraints: [{ type: "distinctInstance" }] },
    ],
    [
      "MemberOf placement constraint unsatisfied.",
      buildCandidate(1),
      { constraints: [{ type: "memberOf", expression: parseQuery("attribute:stack exists") }] },
    ],
  ];
  for (const [reason, candidate, request] of cases) {
    assert.equal(reasonOf(candidate, buildRequest(request)), reason);
  }
});

test("place() counts what the machine's other instances have taken", () => {
  const machine = { ec2InstanceId: "i-shared" };
  const candidates = [buildCandidate(1, machine), buildCandidate(2, machine)];
  const { placed, unplacedCount } = place(Board.of(candidates), buildRequest({ count: 5 }), first);
  assert.equal(placed.length, 4);
  assert.equal(unplacedCount, 1);
});

test("place() refuses with the amount that is left", () => {
  const candidate = buildCandidate(1, {}, { taken: { ...NO_RESOURCES, cpuUnits: 4000 } });
  const { refusals } = place(Board.of([candidate]), buildRequest(), first);
  assert.equal(refusals[0]?.detail, "1024 CPU units exceed the remaining 96 CPU units");
});

test("place() lets a task that takes nothing onto a machine that is full", () => {
  const candidate = buildCandidate(
    1,
    {},
    { taken: { ...NO_RESOURCES, cpuUnits: 5000, memoryMiB: 9000 } },
  );
  assert.deepEqual(placedIds([candidate], buildRequest({ needs: NO_RESOURCES })), ["instance-1"]);
});

test("place() takes the subnet of the instance's zone", () => {
  const subnets = ["a", "b"].map((letter) => ({
    subnetId: `subnet-${letter}`,
    availabilityZone: `us-east-1${letter}`,
  }));
  const candidates = [buildCandidate(1, inZone("us-east-1b"))];
  const { placed } = place(Board.of(candidates), buildRequest({ subnets }), first);
  assert.equal(placed[0]?.subnetId, "subnet-b");
});

test("spread goes where the fewest tasks of the group are, then the next strategy breaks the tie", () => {
  const candidates = [
    buildCandidate(1, inZone("a"), { groups: new Map([["family:hello", 1]]) }),
    buildCandidate(2, inZone("b")),
    buildCandidate(3, inZone("b"), { taken: { ...NO_RESOURCES, memoryMiB: 4096 } }),
  ];
  const request = buildRequest({
    strategies: [
      { type: "spread", attribute: "ecs.availability-zone" },
      { type: "binpack", resource: "memoryMiB" },
    ],
  });
  assert.deepEqual(placedIds(candidates, request), ["instance-3"]);
});

test("spread over instances puts one task on each before a second on any", () => {
  const candidates = [buildCandidate(1), buildCandidate(2), buildCandidate(3)];
  const request = buildRequest({
    count: 6,
    strategies: [{ type: "spread", attribute: undefined }],
  });
  const ids = placedIds(candidates, request);
  assert.equal(new Set(ids.slice(0, 3)).size, 3);
  assert.equal(new Set(ids.slice(3)).size, 3);
});

test("binpack fills the fullest instance that still fits", () => {
  const candidates = [
    buildCandidate(1),
    buildCandidate(2, {}, { taken: { ...NO_RESOURCES, cpuUnits: 2048 } }),
    buildCandidate(3, {}, { taken: { ...NO_RESOURCES, cpuUnits: 4000 } }),
  ];
  const request = buildRequest({
    count: 3,
    strategies: [{ type: "binpack", resource: "cpuUnits" }],
  });
  assert.deepEqual(placedIds(candidates, request), ["instance-2", "instance-2", "instance-1"]);
});

test("distinctInstance holds between the tasks of one request", () => {
  const request = buildRequest({ count: 3, constraints: [{ type: "distinctInstance" }] });
  const ids = placedIds([buildCandidate(1), buildCandidate(2)], request);
  assert.deepEqual(ids.toSorted(), ["instance-1", "instance-2"]);
});

/**
 * The scheduler by itself: 10,000 instances, 100,000 running tasks. Each round places one request, then has the board take
 * in what was placed, as the cache would tell it; so that ten thousand placements later the figure is still the same.
 */

import { add } from "../../src/ecs/model/resources.ts";
import { Board } from "../../src/ecs/scheduler/board.ts";
import { choicesOf } from "../../src/ecs/scheduler/naive-place.fixture.ts";
import { place } from "../../src/ecs/scheduler/place.ts";
import { buildCandidate, buildRequest } from "../../src/ecs/scheduler/scheduler.fixture.ts";
import type { Candidate, PlacementRequest, Strategy } from "../../src/ecs/scheduler/snapshot.ts";
import { systemRandom } from "../../src/lib/random.ts";
import { measureTaskMemory } from "./task-memory.ts";

const INSTANCES = 10_000;
const TASKS_PER_INSTANCE = 10;
const GROUPS = 500;
const ROUNDS = 5;
const ROUND_MS = 1_000;

const NEEDS = { cpuUnits: 256, memoryMiB: 512, ports: [], portsUdp: [] };

const STRATEGIES: Readonly<Record<string, readonly Strategy[]>> = {
  "binpack cpu": [{ type: "binpack", resource: "cpuUnits" }],
  "spread instanceId": [{ type: "spread", attribute: undefined }],
  "spread zone": [{ type: "spread", attribute: "ecs.availability-zone" }],
  "spread zone, binpack memory": [
    { type: "spread", attribute: "ecs.availability-zone" },
    { type: "binpack", resource: "memoryMiB" },
  ],
  random: [],
};

/** Prints placements per second, of one task and of ten at a time, beside the naive scheduler's. */
export async function benchScheduler(): Promise<void> {
  console.log(
    `\nScheduler, pure: ${INSTANCES} instances, ${INSTANCES * TASKS_PER_INSTANCE} running tasks, placements per second of one core (median / best)`,
  );
  for (const [name, strategies] of Object.entries(STRATEGIES)) {
    for (const count of [1, 10]) {
      const rates = Array.from({ length: ROUNDS }, () => rateOf({ strategies, count }));
      const sorted = rates.toSorted((a, b) => a - b);
      const [median = 0, best = 0] = [sorted[Math.floor(ROUNDS / 2)], sorted.at(-1)];
      console.log(
        `  ${`${name}, ${count} at a time`.padEnd(43)}${median.toFixed(0).padStart(8)} /${best.toFixed(0).padStart(8)}`,
      );
    }
  }
  console.log(`  looking at every one, binpack cpu          ${naiveRate().toFixed(0).padStart(8)}`);
  await measureTaskMemory();
}

function rateOf(overrides: Partial<PlacementRequest>): number {
  const board = Board.of(population());
  let placedCount = 0;
  const since = process.cpuUsage();
  const startedAt = performance.now();
  for (let round = 0; performance.now() - startedAt < ROUND_MS; round++) {
    const group = `service:${round % GROUPS}`;
    const { placed } = place(
      board,
      buildRequest({ needs: NEEDS, group, ...overrides }),
      systemRandom,
    );
    for (const { instance } of placed) replaceTask(board, instance.id, group);
    placedCount += placed.length;
  }
  return placedCount / cpuSeconds(since);
}

/** Of this process: the machine's other work does not count. */
function cpuSeconds(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
}

/** A task comes, and one of another group goes: the cluster stays as full as it was. */
function replaceTask(board: Board, instanceId: string, group: string): void {
  const row = Number(instanceId.slice("instance-".length));
  const candidate = board.candidates[row];
  if (candidate === undefined) throw new Error(`${instanceId} is not where it was put`);
  const groups = new Map(candidate.groups);
  const leaving = [...groups.keys()].find((other) => other !== group);
  groups.set(group, (groups.get(group) ?? 0) + 1);
  if (leaving === undefined) {
    board.set({ ...candidate, taken: add(candidate.taken, NEEDS), groups });
    return;
  }
  const left = (groups.get(leaving) ?? 1) - 1;
  if (left > 0) groups.set(leaving, left);
  else groups.delete(leaving);
  board.set({ ...candidate, groups });
}

function population(): Candidate[] {
  return Array.from({ length: INSTANCES }, (_, number) => {
    const groups = new Map<string, number>();
    for (let task = 0; task < TASKS_PER_INSTANCE; task++) {
      const group = `service:${(number * 7 + task * 13) % GROUPS}`;
      groups.set(group, (groups.get(group) ?? 0) + 1);
    }
    // Machines of four sizes, full to a different degree.
    const size = 2 ** (number % 4);
    return buildCandidate(
      number,
      {
        registered: { cpuUnits: 4096 * size, memoryMiB: 8192 * size, ports: [22], portsUdp: [] },
        attributes: [
          { name: "ecs.availability-zone", value: `us-east-1${"abc"[number % 3]}` },
          { name: "ecs.instance-type", value: `m5.${size}xlarge` },
          ...Array.from({ length: 50 }, (_, n) => ({ name: `ecs.capability.feature-${n}` })),
        ],
      },
      {
        taken: {
          cpuUnits: 256 * TASKS_PER_INSTANCE,
          memoryMiB: 512 * TASKS_PER_INSTANCE + 128 * (number % 16),
          ports: [],
          portsUdp: [],
        },
        runningTasksCount: TASKS_PER_INSTANCE,
        groups,
      },
    );
  });
}

function naiveRate(): number {
  const candidates = population();
  const request = buildRequest({
    needs: NEEDS,
    strategies: [{ type: "binpack", resource: "cpuUnits" }],
  });
  const since = process.cpuUsage();
  const startedAt = performance.now();
  let placedCount = 0;
  while (performance.now() - startedAt < ROUND_MS) {
    placedCount += Math.sign(choicesOf(candidates, request).length);
  }
  return placedCount / cpuSeconds(since);
}

/** Chaos with real parts: any of them may be killed or cut off at any moment. `GANTRY_CHAOS_SEED` lives a run again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemRandom } from "../../src/lib/random.ts";
import { skipReason } from "../e2e/gantry-kit.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { DURATION_SECONDS, runChaos } from "./chaos.ts";
import { drawSchedule } from "./schedule.ts";

const skip = await skipReason();
const seed = process.env.GANTRY_CHAOS_SEED ?? String(Math.floor(systemRandom.next() * 1_000_000));
const seconds = Number(process.env.GANTRY_CHAOS_SECONDS ?? DURATION_SECONDS);

test("no task, exit code or line is lost, whatever is killed or cut off", { skip }, async () => {
  await runChaos({ seed, durationMs: seconds * 1000, say: console.log });
});

test("a machine has one fault of a kind at a time, and what is drawn ends", () => {
  for (let run = 0; run < 200; run++) {
    const { shape, faults } = drawSchedule(new SeededRandom(String(run)), 60_000);
    assert.ok(faults.length >= shape.length && faults.length < 100);
    for (const one of Map.groupBy(faults, ({ kind, machine }) => `${kind} ${machine}`).values())
      for (const [index, { atMs }] of one.entries()) {
        const before = one[index - 1];
        assert.ok(before === undefined || before.atMs + before.pauseMs < atMs);
      }
  }
});

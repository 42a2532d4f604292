import assert from "node:assert/strict";
import { test } from "node:test";
import { describeFailure } from "./report.ts";
import { simulate } from "./simulate.ts";

/** Chosen: what two cores live in half a minute, beside `sim.test.ts`. More by hand: `main.ts --seeds A-B`. */
const WORLDS = 50;

test(`${WORLDS} worlds hold what must hold at every commit, and come to rest after their troubles`, async () => {
  for (let seed = 1; seed <= WORLDS; seed++) {
    const outcome = await simulate(seed);
    assert.ok(outcome.failure === undefined, describeFailure(outcome));
  }
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { assertWorldsHold, range } from "./report.ts";
import { simulate } from "./simulate.ts";

/** The first number of each line that is no comment. */
const SEEDS = readFileSync(new URL("seeds.txt", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => /^\d/.test(line))
  .map((line) => Number.parseInt(line, 10));

test("a world lived twice is the same world", async () => {
  const digests = new Set<string>();
  for (const seed of [1001, 1002, 1003]) {
    const [first, second] = [await simulate(seed), await simulate(seed)];
    assert.ok(first.eventCount > 100 && first.taskCount > 0, "something happens");
    assert.equal(second.digest, first.digest);
    assert.equal(second.eventCount, first.eventCount);
    digests.add(first.digest);
  }
  assert.equal(digests.size, 3, "each seed is a world of its own");
});

test("the worlds that once found a bug hold", async () => {
  await assertWorldsHold(SEEDS);
});

test("worlds 156–300 hold what must hold at every commit, and come to rest after their troubles", async () => {
  await assertWorldsHold(range(156, 300));
});

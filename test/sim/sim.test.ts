import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { type Life, WorldPool } from "./world-pool.ts";

/** The first number of each line that is no comment. */
const SEEDS = readFileSync(new URL("seeds.txt", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => /^\d/.test(line))
  .map((line) => Number.parseInt(line, 10));

const pool = new WorldPool();
after(() => pool[Symbol.asyncDispose]());

test("worlds 1–3, lived twice, are the same worlds", async () => {
  const lives = await pool.live([1, 2, 3, 1, 2, 3]);
  assertAllHold(lives);
  assert.deepEqual(lives.slice(3), lives.slice(0, 3));
  assert.equal(new Set(lives.map(({ digest }) => digest)).size, 3, "each seed is its own world");
  const happens = lives.every(({ eventCount, taskCount }) => eventCount > 100 && taskCount > 0);
  assert.ok(happens, "something happens");
});

test("worlds 4–300, and those that once found a bug, hold what must hold at every commit, and come to rest after their troubles", async () => {
  const range = Array.from({ length: 297 }, (_, index) => 4 + index);
  assertAllHold(await pool.live([...new Set([...SEEDS, ...range])]));
});

function assertAllHold(lives: readonly Life[]): void {
  const failed = lives.filter(({ failure }) => failure !== undefined);
  const seeds = failed.map(({ seed }) => seed);
  assert.ok(failed.length === 0, `${failed[0]?.failure}\nworlds that failed: ${seeds.join(", ")}`);
}

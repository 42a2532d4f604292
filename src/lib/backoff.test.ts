import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { backoffMs } from "./backoff.ts";
import { systemRandom } from "./random.ts";

test("backoffMs() grows with each failure, stays within its jitter and its bound", () => {
  const draw = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(draw, fc.integer({ min: 1, max: 2 ** 31 }), (next, failures) => {
      const random = { ...systemRandom, next: () => next };
      const ms = backoffMs({ firstMs: 100, factor: 2, maxMs: 30_000 }, failures, random);
      const bare = Math.min(30_000, 100 * 2 ** (failures - 1));
      assert.ok(ms >= bare * 0.8 && ms <= bare * 1.2);
    }),
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ContainerMetrics } from "../../protocol/tcs.ts";
import { ContainerMetricsBook } from "./container-metrics.ts";

function metrics(value: number): ContainerMetrics {
  const set = { min: value, max: value, sampleCount: 1, sum: value };
  return { containerName: "web", cpuStatsSet: set, memoryStatsSet: set };
}

test("a container's points are those of the last three minutes, at most 180, in order", () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 30_000 }), { maxLength: 600 });
  fc.assert(
    fc.property(gaps, (steps) => {
      const book = new ContainerMetricsBook();
      const all: { at: number; value: number }[] = [];
      let now = 1_000_000;
      for (const [value, step] of steps.entries()) {
        now += step;
        book.record("task", metrics(value), now);
        all.push({ at: now, value });
      }
      const expected = all.filter(({ at }) => now - at < 180_000).slice(-180);
      const points = book.points("task", "web", 0);
      assert.deepEqual(
        points.map(({ at, cpuPercent }) => ({ at, value: cpuPercent.max })),
        expected,
      );
      const since = now - 60_000;
      assert.deepEqual(
        book.points("task", "web", since).map(({ at }) => at),
        expected.filter(({ at }) => at >= since).map(({ at }) => at),
      );
    }),
    { numRuns: 60 },
  );
});

test("what has ended is forgotten", () => {
  const book = new ContainerMetricsBook();
  book.record("task", metrics(1), 1000);
  assert.equal(book.latest("task").get("web")?.cpuPercent.sum, 1);
  book.forget("task");
  assert.equal(book.latest("task").size, 0);
  assert.deepEqual(book.points("task", "web", 0), []);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KeyedTurns } from "./turns.ts";

test("take() never runs two of one key at once, keeps their order, and gives each its own result", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(fc.record({ key: fc.constantFrom("a", "b"), fails: fc.boolean() })),
      async (scheduler, calls) => {
        const turns = new KeyedTurns();
        const running = new Set<string>();
        const order = new Map<string, number[]>();
        const results = calls.map(({ key, fails }, index) =>
          turns.take(key, async () => {
            assert.ok(!running.has(key));
            running.add(key);
            order.set(key, [...(order.get(key) ?? []), index]);
            await scheduler.schedule(Promise.resolve());
            running.delete(key);
            if (fails) throw new Error(`${index}`);
            return index;
          }),
        );
        const settled = Promise.allSettled(results);
        await scheduler.waitFor(settled);
        for (const [index, result] of (await settled).entries()) {
          assert.equal(result.status, calls[index]?.fails ? "rejected" : "fulfilled");
        }
        for (const indexes of order.values()) {
          assert.deepEqual(
            indexes,
            [...indexes].sort((x, y) => x - y),
          );
        }
      },
    ),
  );
});

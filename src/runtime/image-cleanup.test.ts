import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ImageUse, imagesToRemove } from "./image-cleanup.ts";

const HOUR_MS = 3_600_000;
const RULES = { minAgeMs: HOUR_MS, countMax: 5 };
const NOW = 100 * HOUR_MS;

function image(name: string, over: Partial<ImageUse> = {}): ImageUse {
  return { name, origin: "pulled", storedAt: 0, lastUsedAt: 0, isWanted: false, ...over };
}

test("what nobody has wanted for an hour goes, what was used longest ago first, five at a time", () => {
  const old = Array.from({ length: 7 }, (_, index) =>
    image(`old-${index}`, { lastUsedAt: 7 - index }),
  );
  const images = [
    image("wanted", { isWanted: true }),
    image("loaded", { origin: "loaded" }),
    image("just used", { lastUsedAt: NOW - HOUR_MS + 1 }),
    image("just pulled", { storedAt: NOW - 1 }),
    ...old,
  ];
  assert.deepEqual(imagesToRemove(images, RULES, NOW), [
    "old-6",
    "old-5",
    "old-4",
    "old-3",
    "old-2",
  ]);
  assert.deepEqual(imagesToRemove([], RULES, NOW), []);
});

test("never more than are allowed, and never one that is wanted, young or loaded", () => {
  const uses = fc.uniqueArray(
    fc.record({
      name: fc.string(),
      origin: fc.constantFrom("loaded" as const, "pulled" as const),
      storedAt: fc.integer({ min: 0, max: NOW }),
      lastUsedAt: fc.integer({ min: 0, max: NOW }),
      isWanted: fc.boolean(),
    }),
    { selector: ({ name }) => name },
  );
  fc.assert(
    fc.property(uses, fc.nat(10), (images, countMax) => {
      const removed = imagesToRemove(images, { ...RULES, countMax }, NOW);
      assert.ok(removed.length <= countMax);
      for (const { name, isWanted, lastUsedAt, origin, storedAt } of images) {
        if (!removed.includes(name)) continue;
        assert.equal(isWanted, false);
        assert.equal(origin, "pulled");
        assert.ok(NOW - lastUsedAt >= HOUR_MS && NOW - storedAt >= HOUR_MS);
      }
    }),
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { canPlace, distribute, type StrategyItem } from "./capacity-strategy.ts";

/** Strategies of up to four providers; the first may have a base. */
const strategies: fc.Arbitrary<readonly StrategyItem[]> = fc
  .record({
    weights: fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 4 }),
    base: fc.nat({ max: 5 }),
  })
  .map(({ weights, base }) =>
    weights.map((weight, index) => ({
      capacityProvider: `p${index}`,
      weight,
      base: index === 0 ? base : 0,
    })),
  )
  .filter(canPlace);

test("`distribute()` gives the base first and keeps the rest close to the weights", () => {
  fc.assert(
    fc.property(strategies, fc.nat({ max: 60 }), (strategy, count) => {
      const chosen = distribute(strategy, count);
      assert.equal(chosen.length, count);
      const base = Math.min(count, strategy[0]?.base ?? 0);
      assert.ok(chosen.slice(0, base).every((name) => name === "p0"));
      if (strategy.length === 1) return;
      const rest = chosen.slice(base);
      const total = strategy.reduce((sum, { weight }) => sum + weight, 0);
      for (const { capacityProvider, weight } of strategy) {
        const got = rest.filter((name) => name === capacityProvider).length;
        const due = (rest.length * weight) / total;
        assert.ok(Math.abs(got - due) <= strategy.length - 1, `${got} instead of ${due}`);
        if (weight === 0) assert.equal(got, 0);
      }
    }),
  );
});

test("`distribute()` of 1 : 4 puts four on the second for one on the first", () => {
  const strategy = [
    { capacityProvider: "a", weight: 1, base: 0 },
    { capacityProvider: "b", weight: 4, base: 0 },
  ];
  assert.deepEqual(distribute(strategy, 10).toSorted(), [..."aabbbbbbbb"]);
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { OrderedMap } from "./ordered-map.ts";

describe("OrderedMap", () => {
  it("lists what a sorted map would, across splits of its chunks", () => {
    // Few distinct keys against many operations, so that chunks fill, split and empty.
    const key = fc.integer({ min: 0, max: 1500 }).map((n) => `/${n.toString(6)}`);
    const operations = fc.array(fc.tuple(key, fc.option(fc.nat(), { nil: undefined, freq: 3 })), {
      minLength: 1000,
      maxLength: 4000,
      size: "max",
    });
    const beginning = fc.uniqueArray(fc.tuple(key, fc.nat()), {
      maxLength: 500,
      selector: ([one]) => one,
    });
    fc.assert(
      fc.property(beginning, operations, (begun, drawn) => {
        const model = new Map(begun);
        const map = new OrderedMap<number>();
        for (const [one, value] of begun) map.set(one, value);
        // From here on there is an order to keep.
        map.valuesBelow("");
        for (const [one, value] of drawn) {
          if (value === undefined) assert.equal(map.delete(one), model.delete(one));
          else {
            map.set(one, value);
            model.set(one, value);
          }
        }
        const sorted = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
        for (const prefix of ["", "/", "/1", "/23", "/555", "/9"]) {
          const expected = sorted.filter(([one]) => one.startsWith(prefix));
          assert.deepEqual(
            map.valuesBelow(prefix),
            expected.map(([, value]) => value),
          );
          for (const after of ["", "/", "/1", "/22", "/31", "/55", "/9"]) {
            assert.deepEqual(
              [...map.valuesAfter(prefix, after)],
              expected.filter(([one]) => one > after).map(([, value]) => value),
            );
          }
        }
        assert.equal(map.size, model.size);
      }),
      { numRuns: 25 },
    );
  });
});

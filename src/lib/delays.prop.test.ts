import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Delays } from "./delays.ts";

describe("Delays", () => {
  it("gives keys in order of their earliest time, as a sorted map would", () => {
    const key = fc.constantFrom(..."abcdefgh");
    const entries = fc.array(fc.tuple(key, fc.option(fc.nat(20), { nil: undefined })));
    fc.assert(
      fc.property(entries, (operations) => {
        const delays = new Delays();
        const model = new Map<string, number>();
        for (const [one, dueAt] of operations) {
          if (dueAt === undefined) {
            delays.delete(one);
            model.delete(one);
          } else {
            delays.add(one, dueAt);
            model.set(one, Math.min(dueAt, model.get(one) ?? dueAt));
          }
          assert.equal(delays.size, model.size);
        }
        for (const dueAt of [...model.values()].sort((a, b) => a - b)) {
          assert.equal(delays.nextDueAt, dueAt);
          assert.equal(delays.takeDue(dueAt - 1), undefined);
          assert.equal(model.get(delays.takeDue(dueAt) ?? ""), dueAt);
        }
        assert.equal(delays.nextDueAt, undefined);
      }),
    );
  });
});

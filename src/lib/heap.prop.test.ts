import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Heap } from "./heap.ts";

test("gives back what was put in, smallest first, whatever the order of putting and taking", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer({ min: 0, max: 20 }))), (steps) => {
      const heap = new Heap<number>((a, b) => a - b);
      let model: number[] = [];
      for (const step of steps) {
        model.sort((a, b) => a - b);
        assert.equal(heap.peek(), model[0]);
        if (step === null) {
          assert.equal(heap.pop(), model[0]);
          model = model.slice(1);
        } else {
          heap.push(step);
          model.push(step);
        }
      }
    }),
  );
});

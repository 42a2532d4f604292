import assert from "node:assert/strict";
import { test } from "node:test";
import { summarise } from "./summary.ts";

test("the median is the middle value, or the mean of the two in the middle", () => {
  assert.deepEqual(summarise([3, 1, 2]), { median: 2, best: 1, p90: 2 });
  assert.deepEqual(summarise([4, 10, 1, 2]), { median: 3, best: 1, p90: 4 });
  assert.deepEqual(summarise([7]), { median: 7, best: 7, p90: 7 });
  assert.ok(Number.isNaN(summarise([]).median));
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Silences } from "./silences.ts";

test("a silence is as long as it was watched", () => {
  const silences = new Silences(1000);
  assert.equal(silences.extend("one", 5, 100_000), 0);
  assert.equal(silences.extend("one", 5, 100_600), 600);
  assert.equal(silences.extend("one", 5, 101_600), 1600);
});

test("a clock that jumps adds a step at most, and takes nothing away", () => {
  const silences = new Silences(1000);
  silences.extend("one", 5, 0);
  assert.equal(silences.extend("one", 5, 3_600_000), 1000);
  assert.equal(silences.extend("one", 5, 1_000), 1000);
});

test("who has been there in between begins anew, seen or not", () => {
  const silences = new Silences(1000);
  silences.extend("seen", 5, 0);
  silences.extend("seen", 5, 1000);
  assert.equal(silences.end("seen"), 0);
  assert.equal(silences.extend("seen", 5, 2000), 0);
  silences.extend("unseen", 5, 0);
  assert.equal(silences.extend("unseen", 700, 1000), 0);
});

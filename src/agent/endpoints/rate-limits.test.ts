import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../lib/virtual-clock.ts";
import { RateLimits } from "./rate-limits.ts";

function taken(limits: RateLimits, caller: string, tries: number): number {
  return Array.from({ length: tries }, () => limits.take(caller)).filter(Boolean).length;
}

test("a caller gets 60 answers at once and 40 per second after that", async () => {
  const clock = new VirtualClock(1_000_000);
  const limits = new RateLimits(clock);
  assert.equal(taken(limits, "a", 100), 60);
  await clock.advance(500);
  assert.equal(taken(limits, "a", 100), 20);
  await clock.advance(60_000);
  assert.equal(taken(limits, "a", 100), 60);
});

test("callers do not take from each other", () => {
  const limits = new RateLimits(new VirtualClock(0));
  taken(limits, "a", 100);
  assert.equal(taken(limits, "b", 100), 60);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { HEARTBEAT_MS, Heartbeat } from "./heartbeat.ts";

test("a clock that is set back by an hour makes nobody wait for it", () => {
  const heartbeat = new Heartbeat(3_600_000);
  assert.equal(heartbeat.untilNextMs(0), HEARTBEAT_MS);
  assert.equal(heartbeat.takeDue(HEARTBEAT_MS), true);
  assert.equal(heartbeat.takeDue(HEARTBEAT_MS), false);
  assert.equal(heartbeat.isLost(HEARTBEAT_MS), false);
  assert.equal(heartbeat.isLost(5 * HEARTBEAT_MS), true);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { requestStop } from "./request-stop.ts";
import { buildTask } from "./task.fixture.ts";

test("`requestStop()` changes what is wanted and leaves the observed state alone", () => {
  const task = buildTask({ lastStatus: "RUNNING", version: 4 });
  const stopped = requestStop(task, { stopCode: "UserInitiated", reason: "bye", now: 7 });
  assert.deepEqual(stopped, {
    ...task,
    desiredStatus: "STOPPED",
    stopCode: "UserInitiated",
    stoppedReason: "bye",
    stoppingAt: 7,
    version: 5,
  });
});

test("`requestStop()` is idempotent: the first stop wins", () => {
  const once = requestStop(buildTask(), { stopCode: "UserInitiated", reason: "first", now: 1 });
  assert.equal(
    requestStop(once, { stopCode: "ServiceSchedulerInitiated", reason: "second", now: 2 }),
    once,
  );
});

test("`requestStop()` keeps reasons within ECS's 1024 characters", () => {
  const task = requestStop(buildTask(), {
    stopCode: "UserInitiated",
    reason: "x".repeat(5000),
    now: 1,
  });
  assert.equal(task.stoppedReason?.length, 1024);
});

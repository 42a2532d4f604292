import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { advance, type ContainerReport, type TaskChange } from "./advance.ts";
import { requestStop } from "./request-stop.ts";
import { buildContainer, buildTask } from "./task.fixture.ts";
import type { Container, Task } from "./task.ts";
import { rankOf } from "./task-state.ts";

const containerReport: fc.Arbitrary<ContainerReport> = fc.record(
  {
    name: fc.constantFrom("web", "sidecar", "stranger"),
    status: fc.constantFrom("PENDING", "RUNNING", "STOPPED"),
    runtimeId: fc.constantFrom("r1", "r2"),
    exitCode: fc.constantFrom(0, 3, 137),
    reason: fc.constantFrom("", "CannotPullContainerError: no", "OutOfMemoryError: big"),
    networkBindings: fc.constantFrom([], [{ hostPort: 80 }], [{ hostPort: 81 }]),
  },
  { requiredKeys: ["name", "status"] },
);

const change: fc.Arbitrary<TaskChange> = fc.oneof(
  fc.record({
    event: fc.constantFrom("agentPending" as const, "agentRunning", "agentStopped"),
    report: fc.record(
      {
        containers: fc.array(containerReport, { maxLength: 4 }),
        pullStartedAt: fc.integer({ min: 1, max: 9 }),
        executionStoppedAt: fc.integer({ min: 1, max: 9 }),
      },
      { requiredKeys: ["containers"] },
    ),
  }),
  fc.record({ event: fc.constantFrom("stopSent" as const, "interfaceReleased", "abandoned") }),
  fc.constant<TaskChange>({
    event: "interfaceAttached",
    attachment: { id: "a", status: "ATTACHED", subnetId: "subnet-1" },
  }),
);

const fresh: fc.Arbitrary<Task> = fc.boolean().map((awsvpc) =>
  buildTask({
    containers: [buildContainer(), buildContainer({ name: "sidecar", essential: false })],
    ...(awsvpc && {
      lastStatus: "PROVISIONING",
      attachment: { id: "a", status: "PRECREATED", subnetId: "subnet-1" },
    }),
  }),
);

/** Applies the change as its owner does: who abandons a task has asked for its end. */
function apply(task: Task, step: TaskChange, now: number): Task {
  const asked =
    step.event === "abandoned"
      ? requestStop(task, { stopCode: "UserInitiated", reason: "gone", now })
      : task;
  return advance(asked, step, now);
}

const rank = (container: Container | undefined): number =>
  ["PENDING", "RUNNING", "STOPPED"].indexOf(container?.lastStatus ?? "");

test("`advance()` never lowers a rank, never touches a stopped task, and counts every change", () => {
  fc.assert(
    fc.property(fresh, fc.array(change, { maxLength: 12 }), (start, changes) => {
      changes.reduce((task, step, index) => {
        const next = apply(task, step, 100 + index);
        assert.ok(rankOf(next.lastStatus) >= rankOf(task.lastStatus));
        for (const [at, container] of task.containers.entries()) {
          assert.ok(rank(next.containers[at]) >= rank(container));
          if (container.lastStatus === "STOPPED" && container.exitCode !== undefined) {
            assert.equal(next.containers[at]?.exitCode, container.exitCode);
          }
        }
        if (task.lastStatus === "STOPPED") assert.equal(next, task);
        assert.equal(next.version > task.version, next !== task);
        return next;
      }, start);
    }),
  );
});

test("`advance()` makes of the same report twice what it makes of it once", () => {
  fc.assert(
    fc.property(fresh, fc.array(change, { maxLength: 6 }), change, (start, changes, last) => {
      const before = changes.reduce((task, step, index) => apply(task, step, index), start);
      const once = apply(before, last, 100);
      assert.equal(apply(once, last, 200), once);
    }),
  );
});

test("`advance()` leaves no stopped task without its reason, code and time", () => {
  fc.assert(
    fc.property(fresh, fc.array(change, { maxLength: 12 }), (start, changes) => {
      const task = changes.reduce((state, step, index) => apply(state, step, index), start);
      if (task.lastStatus !== "STOPPED") return;
      assert.ok(task.stopCode && task.stoppedReason && task.stoppedAt !== undefined);
      assert.equal(task.desiredStatus, "STOPPED");
      assert.ok(task.containers.every(({ lastStatus }) => lastStatus === "STOPPED"));
    }),
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { advance, type ContainerReport, type TaskChange } from "./advance.ts";
import { requestStop } from "./request-stop.ts";
import { buildContainer, buildTask } from "./task.fixture.ts";
import type { InterfaceAttachment, Task } from "./task.ts";

const precreated: InterfaceAttachment = { id: "a", status: "PRECREATED", subnetId: "subnet-1" };
const attached: InterfaceAttachment = { ...precreated, status: "ATTACHED" };

test("`advance()` takes an awsvpc task through the states of its network", () => {
  const start = buildTask({ lastStatus: "PROVISIONING", attachment: precreated });
  const pending = advance(start, { event: "interfaceAttached", attachment: attached }, 1);
  assert.deepEqual([pending.lastStatus, pending.connectivityAt], ["PENDING", 1]);
  const running = advance(pending, report("agentRunning", [{ status: "RUNNING" }]), 2);
  assert.deepEqual([running.lastStatus, running.startedAt], ["RUNNING", 2]);
  const stopping = advance(userStop(running), { event: "stopSent" }, 3);
  assert.equal(stopping.lastStatus, "STOPPING");
  const ended = advance(stopping, report("agentStopped", [{ status: "STOPPED" }]), 4);
  assert.equal(ended.lastStatus, "DEPROVISIONING");
  const stopped = advance(ended, { event: "interfaceReleased" }, 5);
  assert.deepEqual(
    [stopped.lastStatus, stopped.stoppedAt, stopped.attachment?.status],
    ["STOPPED", 5, "DELETED"],
  );
});

test("`advance()` takes a task without network interface past the states of the network", () => {
  const stopped = advance(buildTask(), report("agentStopped", [{ status: "STOPPED" }]), 9);
  assert.deepEqual([stopped.lastStatus, stopped.stoppedAt], ["STOPPED", 9]);
});

test("`advance()` applies the reports of one container in order", () => {
  const task = advance(
    buildTask(),
    report("agentRunning", [
      { status: "RUNNING", runtimeId: "r1", imageDigest: "sha256:1" },
      { status: "STOPPED", exitCode: 3 },
    ]),
    2,
  );
  const container = buildContainer({ lastStatus: "STOPPED" });
  assert.deepEqual(task.containers, [
    { ...container, runtimeId: "r1", imageDigest: "sha256:1", exitCode: 3 },
  ]);
  assert.deepEqual([task.lastStatus, task.desiredStatus], ["RUNNING", "STOPPED"]);
  assert.equal(task.stopCode, "EssentialContainerExited");
});

test("`advance()` learns an exit code late, and never unlearns one", () => {
  const task = buildTask({ containers: [buildContainer({ lastStatus: "STOPPED" })] });
  const told = advance(task, report("agentRunning", [{ status: "STOPPED", exitCode: 3 }]), 1);
  assert.equal(told.containers[0]?.exitCode, 3);
  const again = advance(told, report("agentRunning", [{ status: "STOPPED", exitCode: 4 }]), 2);
  assert.equal(again, told);
});

test("`advance()` keeps the first pull times and bounds reasons", () => {
  const change: TaskChange = {
    event: "agentPending",
    report: {
      containers: [{ name: "web", status: "PENDING", reason: "x".repeat(3000) }],
      pullStartedAt: 5,
    },
  };
  const task = advance(buildTask(), change, 6);
  assert.deepEqual([task.lastStatus, task.pullStartedAt], ["PENDING", 5]);
  assert.equal(task.containers[0]?.reason?.length, 1024);
  assert.equal(
    advance(task, { event: "agentPending", report: { containers: [], pullStartedAt: 8 } }, 9),
    task,
  );
});

test("`advance()` ignores what an agent says of a task that has not reached it", () => {
  const task = buildTask({ lastStatus: "PROVISIONING", attachment: precreated });
  assert.equal(advance(task, report("agentStopped", [{ status: "STOPPED" }]), 2), task);
});

test("`advance()` says why a task ended", () => {
  const exited = {
    stopCode: "EssentialContainerExited",
    reason: "Essential container in task exited",
  };
  const pull = "CannotPullContainerError: hello: not found";
  const cases: readonly [string, Task, readonly Report[], string, object][] = [
    ["an exit", started(), [{ status: "STOPPED", exitCode: 3 }], "", exited],
    ["an exit before RUNNING", buildTask(), [{ status: "STOPPED", exitCode: 0 }], "", exited],
    [
      "out of memory before RUNNING",
      buildTask(),
      [{ status: "STOPPED", exitCode: 137, reason: "OutOfMemoryError: Container killed" }],
      "",
      exited,
    ],
    [
      "no image",
      buildTask(),
      [{ status: "STOPPED", reason: pull }],
      "",
      { stopCode: "TaskFailedToStart", reason: pull },
    ],
    [
      "a task the agent refuses",
      buildTask(),
      [],
      "UnrecogniedTaskError: Error loading task",
      { stopCode: "TaskFailedToStart", reason: "UnrecogniedTaskError: Error loading task" },
    ],
    [
      "nothing known",
      buildTask(),
      [],
      "",
      { stopCode: "TaskFailedToStart", reason: "Task failed to start" },
    ],
    [
      "the user's stop",
      userStop(started()),
      [{ status: "STOPPED", exitCode: 143 }],
      "",
      { stopCode: "UserInitiated", reason: "bye" },
    ],
  ];
  for (const [name, task, containers, reason, expected] of cases) {
    const stopped = advance(task, report("agentStopped", containers, reason), 9);
    const { stopCode, stoppedReason } = stopped;
    assert.deepEqual({ stopCode, reason: stoppedReason }, expected, name);
    assert.equal(stopped.lastStatus, "STOPPED", name);
  }
});

test("`advance()` says which container of several kept the task from starting", () => {
  const task = buildTask({
    containers: [
      buildContainer({ name: "sidecar", essential: false }),
      buildContainer({ name: "web" }),
    ],
  });
  const stopped = advance(
    task,
    {
      event: "agentStopped",
      report: {
        containers: [
          { name: "sidecar", status: "STOPPED", reason: "CannotCreateContainerError: late" },
          { name: "web", status: "STOPPED", reason: "CannotPullContainerError: no" },
        ],
      },
    },
    3,
  );
  assert.equal(stopped.stoppedReason, "CannotPullContainerError: no");
});

type Report = Omit<ContainerReport, "name">;

function report(
  event: "agentRunning" | "agentStopped",
  containers: readonly Report[],
  reason = "",
): TaskChange {
  return {
    event,
    report: { reason, containers: containers.map((entry) => ({ name: "web", ...entry })) },
  };
}

function started(): Task {
  return advance(buildTask(), report("agentRunning", [{ status: "RUNNING" }]), 2);
}

function userStop(task: Task): Task {
  return requestStop(task, { stopCode: "UserInitiated", reason: "bye", now: 2 });
}

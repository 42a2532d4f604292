import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../lib/errors.ts";
import { OUT_OF_MEMORY_REASON } from "./container-end.ts";
import { payloadContainer, payloadTask, Rig } from "./testing/rig.fixture.ts";
import { passUntil } from "./testing/time.fixture.ts";

test("what the runtime refuses is the container's reason", async () => {
  await using rig = await Rig.create({
    uncreatable: { createError: "no space" },
    unstartable: { startError: "permission denied" },
    // The engine makes the process before it starts it, Docker when it starts it.
    processless: { processError: "exec: not found" },
    greedy: { runFor: 10, exitCode: 137, oomKilled: true },
  });
  await rig.connect();
  const reasons: unknown[] = [];
  for (const image of ["uncreatable", "unstartable", "processless", "greedy"]) {
    rig.server.assign(payloadTask(image, { containers: [payloadContainer("web", { image })] }));
    await passUntil(
      rig.clock,
      () =>
        rig.server.reports.at(-1)?.task.endsWith(image) === true &&
        rig.server.reports.at(-1)?.status === "STOPPED",
    );
    reasons.push(rig.server.reports.at(-1)?.containers.at(-1)?.reason);
  }
  assert.deepEqual(reasons, [
    "CannotCreateContainerError: no space",
    "CannotStartContainerError: permission denied",
    "CannotStartContainerError: exec: not found",
    OUT_OF_MEMORY_REASON,
  ]);
});

test("what this agent cannot do is refused by name, never run", async () => {
  await using rig = await Rig.create();
  await rig.connect();
  const files = payloadContainer("web", { environmentFiles: [{ type: "s3", value: "arn" }] });
  rig.server.assign(payloadTask("a1", { containers: [files] }));
  rig.server.assign(payloadTask("a2", { pidMode: "moon" }));
  await passUntil(rig.clock, () => rig.server.reports.length === 2);
  assert.deepEqual(rig.server.reports.map(({ reason }) => reason).toSorted(), [
    "CannotCreateContainerError: environmentFiles is not supported by this agent yet",
    "ResourceInitializationError: pidMode moon is not supported by this agent yet",
  ]);
  assert.equal(rig.runtime.starts.size, 0);
});

test("a task that cannot be read is reported STOPPED and not acknowledged", async () => {
  await using rig = await Rig.create();
  await rig.connect();
  const messageId = rig.server.assign(payloadTask("a1", { containers: [] }));
  await passUntil(rig.clock, () => rig.server.reports.length === 1);
  assert.equal(
    rig.server.reports[0]?.reason,
    "UnrecogniedTaskError: Error loading task - the task has no containers",
  );
  assert.ok(!rig.server.acknowledged(messageId));
});

test("a report the server does not want is dropped", async () => {
  await using rig = await Rig.create({ app: { runFor: 100 } });
  const { agent } = await rig.connect();
  rig.server.fail = (operation) =>
    operation === "SubmitTaskStateChange"
      ? new ApiError("InvalidParameterException", "The referenced task was not found.")
      : undefined;
  rig.server.assign(payloadTask("a1"));
  await passUntil(rig.clock, () => rig.runtime.starts.size === 1);
  await passUntil(rig.clock, () => agent.tasks().length === 0);
  assert.deepEqual(rig.server.reports, []);
});

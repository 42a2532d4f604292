import assert from "node:assert/strict";
import { test } from "node:test";
import { payloadContainer, payloadTask, Rig } from "./testing/rig.fixture.ts";
import { passUntil } from "./testing/time.fixture.ts";

test("what holds a task's namespaces comes before its containers, and goes after the last", async () => {
  await using rig = await Rig.create();
  const first = await rig.connect();
  const task = payloadTask("a1", {
    pidMode: "task",
    ipcMode: "task",
    containers: [
      payloadContainer("web", { hostConfig: { ShmSize: 2 ** 27 } }),
      payloadContainer("side", { essential: false }),
    ],
  });
  rig.server.assign(task);
  await passUntil(rig.clock, () => rig.server.reports.length === 1);
  assert.deepEqual([...rig.runtime.holders.keys()], ["a1.pause"]);
  for (const spec of rig.runtime.containers.values()) {
    assert.deepEqual(spec.pidNamespace, { holder: "a1.pause" });
    assert.deepEqual(spec.ipcNamespace, { holder: "a1.pause" });
  }
  await first.stop();
  const { agent } = await rig.connect();
  assert.equal(rig.runtime.holders.size, 1, "an agent that comes back leaves it alone");
  const names = rig.server.reports[0]?.containers.map(({ containerName }) => containerName);
  assert.deepEqual(names, ["web", "side"], "the server never hears of it");
  rig.server.assign({ ...task, desiredStatus: "STOPPED" });
  await passUntil(rig.clock, () => agent.tasks().length === 0);
  assert.equal(rig.runtime.holders.size, 0);
});

test("a holder that belongs to no task is removed", async () => {
  await using rig = await Rig.create();
  const first = await rig.connect();
  const task = payloadTask("a1", { pidMode: "task" });
  rig.server.assign(task);
  await passUntil(rig.clock, () => rig.server.reports.length === 1);
  await first.stop();
  const labels = rig.runtime.holders.get("a1.pause");
  await rig.runtime.holdNamespaces({
    id: "gone.pause",
    taskId: "gone",
    runtime: "runc",
    taskLimits: { cpuUnits: undefined, memoryBytes: undefined },
    shmBytes: 1,
    outputPath: "/nowhere",
    labels: { ...labels, "gantry.task": "arn:aws:ecs:eu-west-1:123456789012:task/default/gone" },
  });
  await rig.connect();
  assert.deepEqual([...rig.runtime.holders.keys()], ["a1.pause"]);
});

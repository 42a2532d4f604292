import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { buildInstance } from "../model/instance.fixture.ts";
import { clusterKey, taskKey } from "../model/keys.ts";
import { buildTask } from "../model/task.fixture.ts";
import type { Task } from "../model/task.ts";
import { openWorld, writeTask } from "./control.fixture.ts";
import { InstanceLoads } from "./instance-loads.ts";

const INSTANCES = ["1", "2"].map((digit) =>
  buildInstance({ id: digit.repeat(32), ec2InstanceId: `i-${digit}` }),
);

function taskOn(id: number, index: number, lastStatus: Task["lastStatus"]): Task {
  const task = buildTask({ id: String(id).repeat(32), group: `group${id % 2}`, lastStatus });
  const instance = INSTANCES[index] ?? assert.fail();
  const { ec2InstanceId } = instance;
  return {
    ...task,
    placement: {
      ...task.placement,
      instance: { ...task.placement.instance, id: instance.id },
      ec2InstanceId,
    },
  };
}

const steps = fc.array(
  fc.record({
    id: fc.integer({ min: 0, max: 5 }),
    status: fc.constantFrom("PENDING", "RUNNING", "STOPPED", "gone"),
  }),
  { maxLength: 12 },
);

test("what is remembered of instances is what their tasks come to, after every change", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (changes) => {
      await using world = await openWorld();
      const remembering = new InstanceLoads(world.cache);
      for (const { id, status } of changes) {
        const task = taskOn(id, id % 2, status === "gone" ? "STOPPED" : status);
        await world.put(
          status === "gone"
            ? { key: taskKey(task, "demo", task.id), value: undefined }
            : writeTask(task),
        );
        const fresh = new InstanceLoads(world.cache);
        for (const instance of INSTANCES) {
          assert.deepEqual(remembering.loadOf(instance), fresh.loadOf(instance));
          assert.deepEqual(remembering.takenOn(instance), fresh.takenOn(instance));
        }
      }
    }),
    { numRuns: 20 },
  );
});

test("groups are counted by cluster, and stopped tasks not at all", async () => {
  await using world = await openWorld();
  const loads = new InstanceLoads(world.cache);
  await world.put(
    ...[1, 2, 3].map((id) => writeTask(taskOn(id, 0, id === 2 ? "RUNNING" : "PENDING"))),
    writeTask({ ...taskOn(4, 0, "RUNNING"), clusterName: "other" }),
    writeTask(taskOn(5, 0, "STOPPED")),
  );
  const [instance = assert.fail()] = INSTANCES;
  const { groups, runningTasksCount } = loads.loadOf(instance);
  assert.equal(runningTasksCount, 2);
  assert.deepEqual(Object.fromEntries(groups.get(clusterKey(instance, "demo")) ?? []), {
    group0: 1,
    group1: 2,
  });
  assert.deepEqual(Object.fromEntries(groups.get(clusterKey(instance, "other")) ?? []), {
    group0: 1,
  });
});

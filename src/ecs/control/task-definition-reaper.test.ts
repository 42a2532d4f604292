import assert from "node:assert/strict";
import { test } from "node:test";
import { runController } from "../../store/controller.ts";
import type { Write } from "../../store/store.ts";
import { taskDefinitionKey } from "../model/keys.ts";
import { buildTask } from "../model/task.fixture.ts";
import type { TaskDefinition } from "../model/task-definition.ts";
import { openWorld, settle, type World, writeDefinition, writeTask } from "./control.fixture.ts";
import { createTaskDefinitionReaper } from "./task-definition-reaper.ts";

const KEY = taskDefinitionKey({ accountId: "111111111111", region: "us-east-1" }, "hello", 1);

function withStatus(status: TaskDefinition["status"]): Write {
  const { key, value } = writeDefinition();
  return { key, value: { ...(value as TaskDefinition), status } };
}

function reap(world: World): void {
  const reaper = createTaskDefinitionReaper(world);
  world.run((signal) => runController(reaper, world, signal));
}

test("a definition that nothing runs by goes when its deletion is asked for", async () => {
  await using world = await openWorld();
  await world.put(withStatus("INACTIVE"));
  reap(world);
  await settle();
  assert.ok(world.cache.get(KEY));
  await world.put(withStatus("DELETE_IN_PROGRESS"));
  await settle();
  assert.equal(world.cache.get(KEY), undefined);
});

test("a definition goes with the last task that runs by it", async () => {
  await using world = await openWorld();
  const tasks = ["1", "2"].map((id) => buildTask({ id: id.repeat(32) }));
  await world.put(withStatus("DELETE_IN_PROGRESS"), ...tasks.map(writeTask));
  reap(world);
  for (const task of tasks) {
    await settle();
    assert.ok(world.cache.get(KEY));
    await world.put(writeTask({ ...task, lastStatus: "STOPPED", stoppedAt: 1 }));
  }
  await settle();
  assert.equal(world.cache.get(KEY), undefined);
});

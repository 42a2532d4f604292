import assert from "node:assert/strict";
import { test } from "node:test";
import { runController } from "../../store/controller.ts";
import type { Write } from "../../store/store.ts";
import { runTokenKey, taskKey } from "../model/keys.ts";
import { buildTask } from "../model/task.fixture.ts";
import type { RunToken, Task } from "../model/task.ts";
import { openWorld, settle, type World, writeTask } from "./control.fixture.ts";
import { createTaskReaper } from "./task-reaper.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

function reap(world: World, retentionMs: number): void {
  const reaper = createTaskReaper(world, { retentionMs });
  world.run((signal) => runController(reaper, world, signal));
}

function stoppedTask(world: World, id: string): Task {
  return buildTask({
    id: id.padStart(32, "0"),
    desiredStatus: "STOPPED",
    lastStatus: "STOPPED",
    stoppedAt: world.clock.now(),
  });
}

function taskCount(world: World): number {
  return world.cache.list("/111111111111/us-east-1/ecs/tasks/").length;
}

async function pass(world: World, ms: number): Promise<void> {
  await world.clock.advance(ms);
  await settle();
}

function writeToken(world: World, clientToken: string, taskIds: readonly string[]): Write {
  const token: RunToken = {
    requestHash: "",
    taskIds,
    failures: [],
    createdAt: world.clock.now(),
  };
  const scope = { accountId: "111111111111", region: "us-east-1" };
  return { key: runTokenKey(scope, "demo", clientToken), value: token };
}

test("a STOPPED task is kept for the retention and then gone, whoever lives stays", async () => {
  await using world = await openWorld();
  const before = stoppedTask(world, "1");
  await world.put(writeTask(before), writeTask(buildTask({ id: "2".padStart(32, "0") })));
  reap(world, 2 * HOUR_MS);
  await pass(world, HOUR_MS);
  await world.put(writeTask(stoppedTask(world, "3")));
  await pass(world, HOUR_MS - 1);
  assert.equal(taskCount(world), 3);
  await pass(world, MINUTE_MS);
  assert.equal(world.cache.get(taskKey(before, "demo", before.id)), undefined);
  assert.equal(taskCount(world), 2);
  await pass(world, HOUR_MS);
  assert.equal(taskCount(world), 1);
});

test("a slot that was empty is looked at again when a task stops there", async () => {
  await using world = await openWorld();
  reap(world, HOUR_MS);
  for (const id of ["1", "2"]) {
    await world.put(writeTask(stoppedTask(world, id)));
    await pass(world, 2 * HOUR_MS);
    assert.equal(taskCount(world), 0);
  }
});

test("more tasks than one transaction holds are all deleted", async () => {
  await using world = await openWorld();
  const tasks = Array.from({ length: 350 }, (_, index) => stoppedTask(world, index.toString(16)));
  for (let at = 0; at < tasks.length; at += 100) {
    await world.put(...tasks.slice(at, at + 100).map(writeTask));
  }
  reap(world, HOUR_MS);
  await pass(world, 2 * HOUR_MS);
  for (let turn = 0; turn < 5; turn++) await pass(world, 1);
  assert.equal(taskCount(world), 0);
});

test("a client token ends an hour after its last task, and after a day in any case", async () => {
  await using world = await openWorld();
  const live = buildTask({ id: "1".padStart(32, "0") });
  const short = writeToken(world, "failed", []);
  const long = writeToken(world, "long", [live.id]);
  await world.put(writeTask(live), short, long);
  reap(world, 48 * HOUR_MS);
  await pass(world, HOUR_MS - 1);
  assert.ok(world.cache.get(short.key));
  await pass(world, MINUTE_MS);
  assert.equal(world.cache.get(short.key), undefined);
  await pass(world, 22 * HOUR_MS);
  assert.ok(world.cache.get(long.key));
  await pass(world, HOUR_MS);
  assert.equal(world.cache.get(long.key), undefined);
});

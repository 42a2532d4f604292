import assert from "node:assert/strict";
import { test } from "node:test";
import { runController } from "../../store/controller.ts";
import type { Write } from "../../store/store.ts";
import { advance } from "../model/advance.ts";
import { runTokenKey, taskKey } from "../model/keys.ts";
import { buildTask } from "../model/task.fixture.ts";
import type { RunToken, Task } from "../model/task.ts";
import { openWorld, settle, type World, writeTask } from "./control.fixture.ts";
import { createRunTokenReaper } from "./run-token-reaper.ts";
import { createTaskReaper } from "./task-reaper.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

function reap(world: World, retentionMs: number): void {
  const reaper = createTaskReaper(world, { retentionMs });
  world.run((signal) => runController(reaper, world, signal));
  world.run((signal) => runController(createRunTokenReaper(world), world, signal));
}

/** As the task's last step leaves it. */
function stoppedTask(world: World, id: string): Task {
  const task = buildTask({
    id: id.padStart(32, "0"),
    desiredStatus: "STOPPED",
    stopCode: "UserInitiated",
    lastStatus: "DEPROVISIONING",
  });
  return advance(task, { event: "interfaceReleased" }, world.clock.now());
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
  // With all that stopped in the same minute.
  await pass(world, MINUTE_MS + 1);
  assert.equal(world.cache.get(taskKey(before, "demo", before.id)), undefined);
  assert.equal(taskCount(world), 2);
  await pass(world, HOUR_MS);
  assert.equal(taskCount(world), 1);
});

test("a task whose record has its end far behind is deleted in its time too", async () => {
  await using world = await openWorld();
  const { stoppedAt, ...task } = stoppedTask(world, "1");
  await world.put(writeTask({ ...task, stoppedAt: stoppedAt ?? 0 }));
  reap(world, HOUR_MS);
  await pass(world, HOUR_MS - 1);
  assert.equal(taskCount(world), 1);
  await pass(world, MINUTE_MS);
  assert.equal(taskCount(world), 0);
});

test("whatever stops later is deleted later", async () => {
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

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Write } from "../../store/store.ts";
import { buildInstance } from "../model/instance.fixture.ts";
import type { Instance } from "../model/instance.ts";
import {
  FLEET_ACCOUNT_ID,
  FLEET_CLUSTER,
  instanceKey,
  taskKey,
  unconfirmedStopKey,
} from "../model/keys.ts";
import type { TaskSpec } from "../model/new-task.ts";
import { buildTask } from "../model/task.fixture.ts";
import type { Task } from "../model/task.ts";
import type { Board } from "../scheduler/board.ts";
import { openWorld, writeInstance, writeTask } from "./control.fixture.ts";
import { PlacementBoards } from "./placement-boards.ts";

const FLEET = { accountId: FLEET_ACCOUNT_ID, clusterName: FLEET_CLUSTER };
/** Two machines, the first of which is in the fleet too. */
const INSTANCES: readonly Instance[] = [
  buildInstance({ id: "1".repeat(32), ec2InstanceId: "i-1" }),
  buildInstance({ id: "2".repeat(32), ec2InstanceId: "i-2" }),
  buildInstance({ ...FLEET, id: "3".repeat(32), ec2InstanceId: "i-1" }),
];

const steps = fc.array(
  fc.oneof(
    fc.record({
      what: fc.constantFrom("task", "lost"),
      id: fc.integer({ min: 0, max: 5 }),
      state: fc.constantFrom("PENDING", "RUNNING", "STOPPED", "gone"),
    }),
    fc.record({
      what: fc.constant("instance"),
      id: fc.integer({ min: 0, max: 2 }),
      state: fc.constantFrom("ACTIVE", "DRAINING", "INACTIVE", "gone"),
    }),
  ),
  { maxLength: 15 },
);

test("boards that follow the cache show what new ones would, after every change", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (changes) => {
      await using world = await openWorld();
      const following = new PlacementBoards(world.cache);
      for (const { what, id, state } of changes) {
        await world.put(writeOf(what, id, state));
        const fresh = new PlacementBoards(world.cache);
        for (const launchType of ["EC2", "FARGATE"] as const) {
          const spec = specOf(launchType);
          assert.deepEqual(shown(following.boardFor(spec)), shown(fresh.boardFor(spec)));
        }
      }
    }),
    { numRuns: 50 },
  );
});

test("a machine's tasks take of both its registrations, and the fleet's groups are named by cluster", async () => {
  await using world = await openWorld();
  await world.put(...INSTANCES.map((instance) => writeInstance(instance)));
  await world.put(writeTask(taskOn(0, 0, "RUNNING")), writeTask(taskOn(1, 2, "PENDING")));
  const boards = new PlacementBoards(world.cache);
  const [first] = candidatesOf(boards.boardFor(specOf("EC2")));
  const [fleet] = candidatesOf(boards.boardFor(specOf("FARGATE")));
  assert.equal(first?.taken.cpuUnits, 512);
  assert.equal(fleet?.taken.cpuUnits, 512);
  assert.deepEqual([...(first?.groups ?? [])], [["group0", 1]]);
  assert.deepEqual(
    [...(fleet?.groups ?? [])],
    [["/111111111111/us-east-1/ecs/clusters/demo/group1", 1]],
  );
});

test("tasks that are stopping count as running, as they do in the API", async () => {
  await using world = await openWorld();
  await world.put(...INSTANCES.map((instance) => writeInstance(instance)));
  const states: readonly Task["lastStatus"][] = ["PENDING", "RUNNING", "STOPPING", "STOPPED"];
  await world.put(...states.map((state, id) => writeTask(taskOn(id, 1, state))));
  const board = new PlacementBoards(world.cache).boardFor(specOf("EC2"));
  assert.deepEqual(
    candidatesOf(board).map(({ runningTasksCount }) => runningTasksCount),
    [0, 2],
  );
});

function writeOf(what: string, id: number, state: string): Write {
  if (what === "instance") {
    const instance = INSTANCES[id] ?? assert.fail();
    const key = instanceKey(instance, instance.clusterName, instance.id);
    if (state === "gone") return { key, value: undefined };
    return { key, value: { ...instance, status: state } };
  }
  const task = taskOn(id, id % 3, state === "gone" ? "STOPPED" : (state as Task["lastStatus"]));
  const isGone = state === "gone";
  if (what === "task") {
    return isGone ? { key: taskKey(task, "demo", task.id), value: undefined } : writeTask(task);
  }
  const { accountId, region, clusterName, family, revision, placement } = task;
  const stop = { placement, accountId, region, clusterName, id: task.id, family, revision };
  return {
    key: unconfirmedStopKey(task, "demo", task.id),
    value: isGone ? undefined : { ...stop, lostAt: 1 },
  };
}

function taskOn(id: number, index: number, lastStatus: Task["lastStatus"]): Task {
  const { placement } = buildTask();
  const instance = INSTANCES[index] ?? assert.fail();
  return buildTask({
    id: String(id).repeat(32),
    group: `group${id % 2}`,
    launchType: instance.accountId === FLEET_ACCOUNT_ID ? "FARGATE" : "EC2",
    lastStatus,
    placement: {
      ...placement,
      instance: {
        accountId: instance.accountId,
        region: instance.region,
        clusterName: instance.clusterName,
        id: instance.id,
      },
      ec2InstanceId: instance.ec2InstanceId,
    },
  });
}

function specOf(launchType: "EC2" | "FARGATE"): TaskSpec {
  const { accountId, region, clusterName } = buildTask();
  return { accountId, region, clusterName, launchType } as TaskSpec;
}

function candidatesOf(board: Board): Board["candidates"] {
  return board.candidates.toSorted((a, b) => (a.instance.id < b.instance.id ? -1 : 1));
}

function shown(board: Board): unknown {
  return candidatesOf(board).map(({ groups, ...rest }) => ({
    ...rest,
    groups: Object.fromEntries(groups),
  }));
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { RuntimeError } from "../runtime/runtime.ts";
import { payloadContainer, payloadTask, Rig } from "./testing/rig.fixture.ts";
import { passUntil } from "./testing/time.fixture.ts";

const LIMITED = { ephemeralStorage: { sizeInGiB: 20 } };
const KEY = { taskId: "a1", owner: "ec2" };

function lastStatus(rig: Rig, id: string): string | undefined {
  return rig.server.reports.findLast(({ task }) => task.endsWith(`/${id}`))?.status;
}

test("a task with a limit to its storage has a disk for its containers and volumes, as long as it is there", async () => {
  await using rig = await Rig.create();
  const { agent } = await rig.connect();
  const mountPoints = [{ sourceVolume: "scratch", containerPath: "/scratch", readOnly: false }];
  const containers = [payloadContainer("web", { mountPoints })];
  const volumes = [{ name: "scratch", type: "host", host: { sourcePath: "" } }];
  rig.server.assign(payloadTask("a1", { ...LIMITED, containers, volumes }));
  await passUntil(rig.clock, () => lastStatus(rig, "a1") === "RUNNING");
  assert.deepEqual(await rig.runtime.listTaskStorage(), [KEY]);
  assert.equal((await rig.runtime.taskStorageUsage(KEY))?.reservedBytes, 20 * 2 ** 30);
  const spec = rig.runtime.containers.get("a1-web");
  assert.ok(spec?.taskStorage);
  const scratch = spec.mounts.find(({ target }) => target === "/scratch");
  assert.equal(scratch?.source, `${spec.taskStorage}/volumes/scratch`);
  rig.server.assign(payloadTask("a1", { desiredStatus: "STOPPED" }));
  await passUntil(rig.clock, () => agent.tasks().length === 0);
  assert.deepEqual(await rig.runtime.listTaskStorage(), []);
});

test("a task without a limit has no disk", async () => {
  await using rig = await Rig.create();
  await rig.connect();
  rig.server.assign(payloadTask("a1"));
  await passUntil(rig.clock, () => lastStatus(rig, "a1") === "RUNNING");
  assert.deepEqual(await rig.runtime.listTaskStorage(), []);
  assert.equal(rig.runtime.containers.get("a1-web")?.taskStorage, undefined);
});

test("an agent removes the disks of its own tasks that it does not know, and no others", async () => {
  await using rig = await Rig.create();
  const first = await rig.connect();
  rig.server.assign(payloadTask("a1", LIMITED));
  await passUntil(rig.clock, () => lastStatus(rig, "a1") === "RUNNING");
  await first.stop();
  await rig.runtime.createTaskStorage({ taskId: "lost", owner: "ec2" }, 1);
  await rig.runtime.createTaskStorage({ taskId: "foreign", owner: "fargate" }, 1);
  await rig.connect();
  assert.deepEqual(
    (await rig.runtime.listTaskStorage()).map(({ taskId }) => taskId),
    ["a1", "foreign"],
  );
});

test("a task whose disk cannot be made fails by ECS's name for it", async () => {
  await using rig = await Rig.create();
  const runtime = {
    ...rig.runtime,
    createTaskStorage: async () => {
      throw new RuntimeError("the task's disk: mount: no free loop device");
    },
  };
  await rig.connect({ runtime });
  rig.server.assign(payloadTask("a1", LIMITED));
  await passUntil(rig.clock, () => lastStatus(rig, "a1") === "STOPPED");
  assert.equal(
    rig.server.reports.at(-1)?.reason,
    "ResourceInitializationError: the task's disk: mount: no free loop device",
  );
});

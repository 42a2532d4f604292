import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkInterface } from "../../ec2/model.ts";
import { runController } from "../../store/controller.ts";
import { advance } from "../model/advance.ts";
import { requestStop } from "../model/request-stop.ts";
import { buildTask } from "../model/task.fixture.ts";
import type { Task } from "../model/task.ts";
import { openWorld, settle, type World, writeNetwork, writeTask } from "./control.fixture.ts";
import { createNetworkInterfacesController } from "./network-interfaces.ts";

const EC2 = "/111111111111/us-east-1/ec2/";

test("a task gets an interface with an address of its subnet before it is PENDING", async () => {
  await using world = await openControlledWorld();
  await world.put(...writeNetwork(), writeTask(awsvpcTask()));
  await settle();
  const task = world.task(awsvpcTask());
  assert.equal(task.lastStatus, "PENDING");
  assert.equal(task.connectivityAt, world.clock.now());
  const { attachment } = task;
  assert.equal(attachment?.status, "ATTACHED");
  assert.match(attachment?.networkInterfaceId ?? "", /^eni-[0-9a-f]{17}$/);
  assert.match(attachment?.macAddress ?? "", /^02(:[0-9a-f]{2}){5}$/);
  assert.match(attachment?.privateIpv4Address ?? "", /^172\.31\.(1[0-5]|\d)\.\d+$/);
  const [record] = world.cache.list(`${EC2}network-interfaces/`);
  const networkInterface = record?.value as NetworkInterface;
  assert.equal(networkInterface.interfaceId, attachment?.networkInterfaceId);
  assert.equal(networkInterface.ec2InstanceId, task.placement.ec2InstanceId);
  assert.equal(networkInterface.taskArn, `arn:aws:ecs:us-east-1:111111111111:task/demo/${task.id}`);
  assert.deepEqual(addresses(world), [attachment?.privateIpv4Address]);
});

test("no two tasks get the same address, and a full subnet says so", async () => {
  await using world = await openControlledWorld();
  // A /28 has 16 addresses, of which AWS keeps five.
  const tasks = Array.from({ length: 13 }, (_, index) =>
    awsvpcTask({ id: index.toString(16).padStart(32, "0") }),
  );
  await world.put(...writeNetwork("172.31.0.0/28"), ...tasks.map(writeTask));
  await settle();
  const ended = tasks.map((task) => world.task(task));
  assert.equal(new Set(addresses(world)).size, 11);
  assert.equal(ended.filter(({ lastStatus }) => lastStatus === "PENDING").length, 11);
  const failed = ended.filter(({ lastStatus }) => lastStatus === "STOPPED");
  assert.equal(failed.length, 2);
  assert.equal(failed[0]?.stopCode, "TaskFailedToStart");
  assert.equal(
    failed[0]?.stoppedReason,
    "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-1': InsufficientFreeAddressesInSubnet",
  );
});

test("a task stopped while PROVISIONING ends without an interface", async () => {
  await using world = await openControlledWorld();
  const stopped = requestStop(awsvpcTask(), { stopCode: "UserInitiated", reason: "no", now: 1 });
  await world.put(...writeNetwork(), writeTask(stopped));
  await settle();
  const task = world.task(stopped);
  assert.deepEqual([task.lastStatus, task.stoppedReason], ["STOPPED", "no"]);
  assert.equal(task.attachment?.status, "DELETED");
  assert.deepEqual(addresses(world), []);
});

test("a task that has ended gives its address back and is STOPPED", async () => {
  await using world = await openControlledWorld();
  await world.put(...writeNetwork(), writeTask(awsvpcTask()));
  await settle();
  const ended = advance(
    world.task(awsvpcTask()),
    { event: "agentStopped", report: { containers: [] } },
    2,
  );
  assert.equal(ended.lastStatus, "DEPROVISIONING");
  await world.put(writeTask(ended));
  await settle();
  assert.equal(world.task(ended).lastStatus, "STOPPED");
  assert.deepEqual(world.cache.list(`${EC2}network-interfaces/`), []);
  assert.deepEqual(addresses(world), []);
});

async function openControlledWorld(): Promise<World> {
  const world = await openWorld();
  const controller = createNetworkInterfacesController(world);
  world.run((signal) => runController(controller, world, signal));
  return world;
}

function awsvpcTask(overrides: Partial<Task> = {}): Task {
  const { placement } = buildTask();
  return buildTask({
    networkMode: "awsvpc",
    lastStatus: "PROVISIONING",
    placement: { ...placement, subnetId: "subnet-1" },
    attachment: { id: "att", status: "PRECREATED", subnetId: "subnet-1" },
    ...overrides,
  });
}

function addresses(world: World): (string | undefined)[] {
  return world.cache.list(`${EC2}addresses/subnet-1/`).map(({ key }) => key.split("/").at(-1));
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { addressesPrefix, interfacesPrefix } from "../../ec2/model.ts";
import { runController } from "../../store/controller.ts";
import { buildInstance } from "../model/instance.fixture.ts";
import { type Instance, retire } from "../model/instance.ts";
import { FLEET_ACCOUNT_ID, FLEET_CLUSTER, instanceKey } from "../model/keys.ts";
import { buildTask } from "../model/task.fixture.ts";
import type { Task } from "../model/task.ts";
import {
  type AgentWorld,
  acknowledge,
  openAgentWorld,
  payloads,
  say,
} from "./agent-world.fixture.ts";
import {
  openWorld,
  settle,
  type World,
  writeInstance,
  writeNetwork,
  writeTask,
} from "./control.fixture.ts";
import { createInstancesController } from "./instances.ts";
import { createNetworkInterfacesController } from "./network-interfaces.ts";

const MINUTE_MS = 60_000;
const LIMITS = { lossAfterMs: 5 * MINUTE_MS, retentionMs: 60 * MINUTE_MS };
const SCOPE = { accountId: "111111111111", region: "us-east-1" };

test("a machine that is silent for as long as the limit loses its tasks, and they say why", async () => {
  await using world = await openControlledWorld();
  const started = awsvpcTask();
  await world.put(...writeNetwork(), writeInstance(), writeTask(started));
  await settle();
  await goAway(world);
  await world.clock.advance(4 * MINUTE_MS);
  assert.equal(world.task(started).desiredStatus, "RUNNING");
  await world.clock.advance(2 * MINUTE_MS);
  const { lastStatus, stopCode, stoppedReason } = world.task(started);
  assert.deepEqual(
    [lastStatus, stopCode, stoppedReason],
    [
      "STOPPED",
      "TerminationNotice",
      "Host EC2 (instance i-00000000000000001) lost: its agent has been silent for 300 seconds.",
    ],
  );
  const { status, agentConnected } = world.instance(buildInstance());
  assert.deepEqual([status, agentConnected], ["ACTIVE", false], "it may come back");
});

test("the address of a lost task stays taken until its machine is out of service", async () => {
  await using world = await openControlledWorld();
  await world.put(...writeNetwork(), writeInstance(), writeTask(awsvpcTask()));
  await settle();
  await goAway(world);
  await world.clock.advance(6 * MINUTE_MS);
  assert.equal(world.task(awsvpcTask()).lastStatus, "STOPPED");
  assert.deepEqual(heldCounts(world), { interfaces: 1, addresses: 1, unconfirmed: 1 });
  const instance = world.instance(buildInstance());
  const retired = { at: world.clock.now(), stopCode: "UserInitiated", reason: "gone" } as const;
  await world.put({ key: keyOf(instance), value: retire(instance, retired) });
  await settle();
  assert.deepEqual(heldCounts(world), { interfaces: 0, addresses: 0, unconfirmed: 0 });
});

test("a machine that comes back in time has lost nothing, however often it goes", async () => {
  await using world = await openControlledWorld();
  await world.put(writeInstance(), writeTask(buildTask({ lastStatus: "RUNNING" })));
  for (let times = 0; times < 3; times++) {
    await goAway(world);
    await world.clock.advance(4 * MINUTE_MS);
    await world.put(writeInstance());
    await settle();
  }
  assert.equal(world.task(buildTask()).desiredStatus, "RUNNING");
});

test("a lost machine that comes back is asked to end its old tasks, and its word frees them", async () => {
  await using world = await openAgentWorld({ agentConnected: false, disconnectedAt: 0 });
  control(world);
  await world.put(writeTask(buildTask({ lastStatus: "RUNNING" })));
  await world.clock.advance(6 * MINUTE_MS);
  assert.equal(heldCounts(world).unconfirmed, 1);
  const agent = await world.connect();
  const [payload] = payloads(agent);
  assert.deepEqual(
    payload?.tasks.map(({ desiredStatus }) => desiredStatus),
    ["STOPPED"],
  );
  acknowledge(agent, payload?.messageId);
  await settle();
  assert.equal(heldCounts(world).unconfirmed, 1, "that it has been told is not that it has ended");
  say(agent, "HeartbeatAckRequest", { messageId: "" });
  await settle();
  assert.equal(payloads(agent).length, 1);
});

test("a deregistration that was cut short is completed", async () => {
  await using world = await openControlledWorld();
  const retired = { at: 0, stopCode: "UserInitiated", reason: "forced" } as const;
  const instance = retire(buildInstance(), { ...retired, at: world.clock.now() });
  await world.put(
    { key: keyOf(instance), value: instance },
    writeTask(buildTask({ lastStatus: "RUNNING" })),
  );
  await settle();
  const { lastStatus, stoppedReason } = world.task(buildTask());
  assert.deepEqual([lastStatus, stoppedReason], ["STOPPED", "forced"]);
});

test("what is out of service is deleted after its time, and the fleet's after a day of silence", async () => {
  await using world = await openControlledWorld();
  const fleet = { accountId: FLEET_ACCOUNT_ID, clusterName: FLEET_CLUSTER };
  const since = world.clock.now();
  const instance = buildInstance({ ...fleet, agentConnected: false, disconnectedAt: since });
  await world.put({ key: keyOf(instance), value: instance });
  await world.clock.advance(23 * 60 * MINUTE_MS);
  assert.equal(world.instance(instance).status, "ACTIVE");
  await world.clock.advance(70 * MINUTE_MS);
  assert.equal(world.instance(instance).status, "INACTIVE");
  await world.clock.advance(60 * MINUTE_MS);
  assert.equal(world.cache.get(keyOf(instance)), undefined);
});

function awsvpcTask(): Task {
  const { placement } = buildTask();
  return buildTask({
    networkMode: "awsvpc",
    lastStatus: "PROVISIONING",
    placement: { ...placement, subnetId: "subnet-1", securityGroups: [] },
    attachment: { id: "a", status: "PRECREATED", subnetId: "subnet-1" },
  });
}

async function goAway(world: World): Promise<void> {
  await world.put(writeInstance({ agentConnected: false, disconnectedAt: world.clock.now() }));
  await settle();
}

function heldCounts(world: World): Record<"interfaces" | "addresses" | "unconfirmed", number> {
  return {
    interfaces: world.cache.list(interfacesPrefix(SCOPE)).length,
    addresses: world.cache.list(addressesPrefix(SCOPE, "subnet-1")).length,
    unconfirmed: world.cache.lookup("unconfirmedStopsByHost", "us-east-1/i-00000000000000001")
      .length,
  };
}

function keyOf(instance: Instance): string {
  return instanceKey(instance, instance.clusterName, instance.id);
}

function control(world: World | AgentWorld): void {
  world.run((signal) => runController(createInstancesController(world, LIMITS), world, signal));
}

async function openControlledWorld(): Promise<World> {
  const world = await openWorld();
  control(world);
  world.run((signal) => runController(createNetworkInterfacesController(world), world, signal));
  return world;
}

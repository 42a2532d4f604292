/** The order of a task's network and its containers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DataplaneError } from "../dataplane/dataplane.ts";
import { AWSVPC, payloadContainer, payloadTask, Rig } from "./testing/rig.fixture.ts";
import { passUntil } from "./testing/time.fixture.ts";

test("a container is made while its interface comes, and runs when it is there", async () => {
  await using rig = await Rig.create();
  const { promise: interfaceIsThere, resolve: bring } = Promise.withResolvers<void>();
  const attach = async (taskId: string): Promise<string> => {
    await interfaceIsThere;
    return rig.dataplane.attach(taskId, "eni-1", 0);
  };
  await rig.connect({ dataplane: { ...rig.dataplane, attach } });
  rig.server.assign(payloadTask("a1", AWSVPC));
  const states = async (): Promise<readonly string[]> =>
    (await rig.runtime.list()).map(({ status }) => status);
  let seen: readonly string[] = [];
  await passUntil(rig.clock, () => {
    void states().then((now) => {
      seen = now;
    });
    return seen.length === 1;
  });
  assert.deepEqual([seen, rig.runtime.starts.size], [["created"], 0]);
  bring();
  await passUntil(rig.clock, () => rig.server.reports.at(-1)?.status === "RUNNING");
  assert.deepEqual(await states(), ["running"]);
});

test("where a container sets something of the network, it is made when the interface is there", async () => {
  await using rig = await Rig.create();
  const order: string[] = [];
  const attach = async (taskId: string): Promise<string> => {
    order.push("attach");
    assert.deepEqual(await rig.runtime.list(), []);
    return rig.dataplane.attach(taskId, "eni-1", 0);
  };
  await rig.connect({ dataplane: { ...rig.dataplane, attach } });
  const hostConfig = { Sysctls: { "net.ipv4.conf.eth0.rp_filter": "2" } };
  const containers = [payloadContainer("web", { hostConfig })];
  rig.server.assign(payloadTask("a1", { ...AWSVPC, containers }));
  await passUntil(rig.clock, () => rig.server.reports.at(-1)?.status === "RUNNING");
  assert.deepEqual(order, ["attach"]);
});

test("an interface that comes late is waited for, and nothing ran before it", async () => {
  await using rig = await Rig.create();
  let failures = 3;
  const attach = async (taskId: string): Promise<string> => {
    assert.equal(rig.runtime.starts.size, 0);
    if (failures-- > 0) throw new DataplaneError("interface eni-1 was not ready");
    return rig.dataplane.attach(taskId, "eni-1", 0);
  };
  await rig.connect({ dataplane: { ...rig.dataplane, attach } });
  rig.server.assign(payloadTask("a1", AWSVPC));
  await passUntil(rig.clock, () => rig.server.reports.at(-1)?.status === "RUNNING");
  assert.deepEqual([...rig.runtime.starts.values()], [1]);
});

test("an interface that never comes fails the task with the network's words", async () => {
  await using rig = await Rig.create();
  const attach = async (): Promise<string> => {
    throw new DataplaneError("interface eni-1 was not ready");
  };
  await rig.connect({ dataplane: { ...rig.dataplane, attach } });
  rig.server.assign(payloadTask("a1", AWSVPC));
  await passUntil(rig.clock, () => rig.server.reports.at(-1)?.status === "STOPPED");
  assert.equal(
    rig.server.reports.at(-1)?.reason,
    "ResourceInitializationError: interface eni-1 was not ready",
  );
  assert.equal(rig.runtime.starts.size, 0);
  await passUntil(rig.clock, () => rig.dataplane.attached.size === 0);
  assert.deepEqual(await rig.runtime.list(), []);
});

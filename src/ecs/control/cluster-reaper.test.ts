import assert from "node:assert/strict";
import { test } from "node:test";
import { runController } from "../../store/controller.ts";
import type { Cluster } from "../model/cluster.ts";
import { clusterKey } from "../model/keys.ts";
import { type Api, addInstance, openApi, registerEc2 } from "../operations/api.fixture.ts";
import { CLUSTER_RETENTION_MS, createClusterReaper } from "./cluster-reaper.ts";
import { settle } from "./control.fixture.ts";

const KEY = clusterKey({ accountId: "111111111111", region: "us-east-1" }, "demo");
const cluster = "demo";

function reap({ world }: Api): void {
  world.run((signal) => runController(createClusterReaper(world), world, signal));
}

async function pass({ world }: Api, ms: number): Promise<void> {
  await world.clock.advance(ms);
  await settle();
}

async function statusOf(api: Api): Promise<string | undefined> {
  const { clusters } = await api.call("DescribeClusters", { clusters: [cluster] });
  return clusters?.[0]?.status;
}

test("a deleted cluster can be described for a day, and then it is gone", async () => {
  await using api = await openApi();
  reap(api);
  await pass(api, 2 * CLUSTER_RETENTION_MS);
  assert.equal(await statusOf(api), "ACTIVE");
  await api.call("DeleteCluster", { cluster });
  await pass(api, CLUSTER_RETENTION_MS - 1);
  assert.equal(await statusOf(api), "INACTIVE");
  await api.call("DeleteCluster", { cluster });
  await pass(api, 1);
  assert.equal(api.world.cache.get(KEY), undefined);
  await assert.rejects(api.call("DeleteCluster", { cluster }), { message: "Cluster not found." });
  await api.call("CreateCluster", { clusterName: cluster });
  assert.equal(await statusOf(api), "ACTIVE");
});

test("a cluster that is made anew stays, and its next deletion has a time of its own", async () => {
  await using api = await openApi();
  reap(api);
  await api.call("DeleteCluster", { cluster });
  await pass(api, CLUSTER_RETENTION_MS / 2);
  await api.call("CreateCluster", { clusterName: cluster });
  await pass(api, CLUSTER_RETENTION_MS);
  assert.equal(await statusOf(api), "ACTIVE");
  await api.call("DeleteCluster", { cluster });
  await pass(api, CLUSTER_RETENTION_MS - 1);
  assert.equal(await statusOf(api), "INACTIVE");
  await pass(api, 1);
  assert.equal(await statusOf(api), undefined);
});

test("a record without a time is kept for a day from when it is first seen", async () => {
  await using api = await openApi();
  const value = api.world.value<Cluster>(KEY);
  await api.world.put({ key: KEY, value: { ...value, status: "INACTIVE" } });
  reap(api);
  await pass(api, CLUSTER_RETENTION_MS - 1);
  assert.equal(await statusOf(api), "INACTIVE");
  await pass(api, 1);
  assert.equal(await statusOf(api), undefined);
});

test("a cluster whose deletion was cut short is ACTIVE again while something is in it", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  await registerEc2(api);
  const value = api.world.value<Cluster>(KEY);
  await api.world.put({ key: KEY, value: { ...value, status: "INACTIVE", inactiveSince: 1 } });
  reap(api);
  await settle();
  assert.equal(await statusOf(api), "ACTIVE");
  assert.deepEqual(api.world.value<Cluster>(KEY), value);
  const { tasks } = await api.call("RunTask", { cluster, taskDefinition: "ec2" });
  assert.equal(tasks?.length, 1);
});

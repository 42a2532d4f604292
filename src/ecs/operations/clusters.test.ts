import assert from "node:assert/strict";
import { test } from "node:test";
import { addInstance, openApi, registerEc2 } from "./api.fixture.ts";

test("CreateCluster without a name makes `default`, and again returns what is there", async () => {
  await using api = await openApi();
  const { cluster } = await api.call("CreateCluster", {});
  assert.equal(cluster?.clusterArn, "arn:aws:ecs:us-east-1:111111111111:cluster/default");
  assert.equal(cluster?.status, "ACTIVE");
  assert.deepEqual(cluster?.settings, [{ name: "containerInsights", value: "disabled" }]);
  const again = await api.call("CreateCluster", { tags: [{ key: "a", value: "b" }] });
  assert.deepEqual(again.cluster, cluster);
});

test("CreateCluster called twice at once makes one cluster", async () => {
  await using api = await openApi();
  const answers = await Promise.all(
    ["red", "blue"].map((value) =>
      api.call("CreateCluster", { clusterName: "once", tags: [{ key: "colour", value }] }),
    ),
  );
  assert.deepEqual(answers[0]?.cluster, answers[1]?.cluster);
});

test("DescribeClusters shows what is included, and MISSING for what is not there", async () => {
  await using api = await openApi();
  await api.call("CreateCluster", { clusterName: "tagged", tags: [{ key: "a", value: "b" }] });
  const { clusters, failures } = await api.call("DescribeClusters", {
    clusters: ["tagged", "arn:aws:ecs:us-east-1:111111111111:cluster/demo", "nowhere"],
    include: ["STATISTICS", "TAGS"],
  });
  assert.deepEqual(
    clusters?.map(({ clusterName }) => clusterName),
    ["tagged", "demo"],
  );
  assert.deepEqual(clusters?.[0]?.tags, [{ key: "a", value: "b" }]);
  assert.deepEqual(clusters?.[0]?.settings, []);
  assert.deepEqual(clusters?.[0]?.statistics?.[0], { name: "runningEC2TasksCount", value: "0" });
  assert.deepEqual(failures, [
    { arn: "arn:aws:ecs:us-east-1:111111111111:cluster/nowhere", reason: "MISSING" },
  ]);
});

test("another account's cluster is not there", async () => {
  await using api = await openApi();
  const arn = "arn:aws:ecs:us-east-1:111111111111:cluster/demo";
  const other = api.as("222222222222");
  assert.deepEqual((await other.call("ListClusters", {})).clusterArns, []);
  await assert.rejects(other.call("ListTasks", { cluster: arn }), {
    name: "ClusterNotFoundException",
    message: "Cluster not found.",
  });
});

test("what can be no cluster's name is told apart from one that is not there", async () => {
  await using api = await openApi();
  await assert.rejects(api.call("ListTasks", { cluster: "no cluster" }), {
    name: "InvalidParameterException",
    message: "Cluster must match ^[a-zA-Z0-9\\-_]{1,255}$, but was no cluster",
  });
});

test("ListClusters gives pages that neither repeat nor miss", async () => {
  await using api = await openApi();
  for (const clusterName of ["a", "b", "c", "d"]) await api.call("CreateCluster", { clusterName });
  const seen: string[] = [];
  let nextToken: string | undefined;
  do {
    const page = await api.call("ListClusters", { maxResults: 2, nextToken });
    seen.push(...(page.clusterArns ?? []).map((arn) => arn.split("/")[1] ?? ""));
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  assert.deepEqual(seen, ["a", "b", "c", "d", "demo"]);
  await assert.rejects(api.call("ListClusters", { nextToken: "bad" }), {
    name: "InvalidParameterException",
    message: "Invalid token.",
  });
});

test("DeleteCluster refuses a cluster in use, and leaves an empty one INACTIVE", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  await assert.rejects(api.call("DeleteCluster", { cluster: "demo" }), {
    name: "ClusterContainsContainerInstancesException",
  });
  await registerEc2(api);
  const { tasks } = await api.call("RunTask", { cluster: "demo", taskDefinition: "ec2" });
  await addInstance(api, "one", { status: "INACTIVE" });
  await assert.rejects(api.call("DeleteCluster", { cluster: "demo" }), {
    name: "ClusterContainsTasksException",
    message: "The Cluster cannot be deleted while Tasks are active.",
  });
  assert.equal(tasks?.length, 1);

  await api.call("CreateCluster", { clusterName: "empty" });
  const { cluster } = await api.call("DeleteCluster", { cluster: "empty" });
  assert.equal(cluster?.status, "INACTIVE");
  await assert.rejects(api.call("ListTasks", { cluster: "empty" }), {
    message: "The referenced cluster was inactive.",
  });
  await assert.rejects(api.call("DeleteCluster", { cluster: "nowhere" }), {
    name: "ClusterNotFoundException",
  });
});

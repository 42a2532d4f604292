import assert from "node:assert/strict";
import { test } from "node:test";
import type { CapacityProviderStrategyItem, RunTaskRequest } from "@aws-sdk/client-ecs";
import {
  type Api,
  addFleetInstance,
  addInstance,
  openApi,
  registerFargate,
} from "./api.fixture.ts";

const SPOT_MOSTLY: CapacityProviderStrategyItem[] = [
  { capacityProvider: "FARGATE", base: 1, weight: 1 },
  { capacityProvider: "FARGATE_SPOT", weight: 3 },
];

async function openFargate(strategy: CapacityProviderStrategyItem[] = []): Promise<Api> {
  const api = await openApi();
  for (const id of ["f1", "f2", "f3"]) await addFleetInstance(api, id, { ec2InstanceId: id });
  await registerFargate(api);
  await api.call("PutClusterCapacityProviders", {
    cluster: "demo",
    capacityProviders: ["FARGATE", "FARGATE_SPOT"],
    defaultCapacityProviderStrategy: strategy,
  });
  return api;
}

async function providersOf(api: Api, changes: Partial<RunTaskRequest>): Promise<unknown[]> {
  const { tasks, failures } = await api.call("RunTask", {
    cluster: "demo",
    taskDefinition: "fargate",
    networkConfiguration: { awsvpcConfiguration: { subnets: ["subnet-1"] } },
    count: 5,
    ...changes,
  });
  assert.deepEqual(failures, []);
  assert.ok(tasks?.every(({ launchType }) => launchType === "FARGATE"));
  return tasks?.map(({ capacityProviderName }) => capacityProviderName).toSorted() ?? [];
}

const ONE_AND_A_SHARE = ["FARGATE", "FARGATE", "FARGATE_SPOT", "FARGATE_SPOT", "FARGATE_SPOT"];

test("a strategy shares tasks out by base and weight", async () => {
  await using api = await openFargate();
  const capacityProviderStrategy = SPOT_MOSTLY;
  assert.deepEqual(await providersOf(api, { capacityProviderStrategy }), ONE_AND_A_SHARE);
});

test("the cluster's strategy is for tasks that say nothing, and for no others", async () => {
  await using api = await openFargate(SPOT_MOSTLY);
  assert.deepEqual(await providersOf(api, {}), ONE_AND_A_SHARE);
  assert.deepEqual(await providersOf(api, { launchType: "FARGATE", count: 1 }), [undefined]);
});

test("StartTask asks no strategy", async () => {
  await using api = await openFargate(SPOT_MOSTLY);
  await addInstance(api, "own", { ec2InstanceId: "own" });
  const { tasks } = await api.call("StartTask", {
    cluster: "demo",
    taskDefinition: "fargate",
    containerInstances: ["own"],
    networkConfiguration: { awsvpcConfiguration: { subnets: ["subnet-1"] } },
  });
  assert.equal(tasks?.[0]?.launchType, "EC2");
  assert.equal(tasks?.[0]?.capacityProviderName, undefined);
});

test("a provider stays with its cluster while tasks run by it", async () => {
  await using api = await openFargate();
  await providersOf(api, { capacityProviderStrategy: [{ capacityProvider: "FARGATE_SPOT" }] });
  const put = (capacityProviders: string[]): Promise<unknown> =>
    api.call("PutClusterCapacityProviders", {
      cluster: "demo",
      capacityProviders,
      defaultCapacityProviderStrategy: [],
    });
  await assert.rejects(put(["FARGATE"]), {
    name: "ResourceInUseException",
    message: "The specified capacity provider is in use and cannot be removed.",
  });
  await put(["FARGATE_SPOT"]);
});

test("strategies that cannot place", async (t) => {
  await using api = await openFargate();
  await api.call("CreateCapacityProvider", {
    name: "own",
    autoScalingGroupProvider: { autoScalingGroupArn: "group" },
  });
  const spot = { capacityProvider: "FARGATE_SPOT" };
  const cases: readonly (readonly [Partial<RunTaskRequest>, message: RegExp])[] = [
    [
      { launchType: "FARGATE", capacityProviderStrategy: [spot] },
      /^Specify either Launch Type or Capacity Provider Strategy, but not both\.$/,
    ],
    [
      { capacityProviderStrategy: [{ capacityProvider: "own" }] },
      /^The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster\./,
    ],
    [
      { capacityProviderStrategy: [{ capacityProvider: "FARGATE", base: 1 }, spot] },
      /at least one with a weight greater than 0/,
    ],
    [{ capacityProviderStrategy: Array(21).fill(spot) }, /maximum of 20/],
  ];
  for (const [changes, message] of cases) {
    await t.test(String(message), () =>
      assert.rejects(providersOf(api, changes), { name: "InvalidParameterException", message }),
    );
  }
});

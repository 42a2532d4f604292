import assert from "node:assert/strict";
import { test } from "node:test";
import type { CreateClusterRequest, PutClusterCapacityProvidersRequest } from "@aws-sdk/client-ecs";
import { openApi } from "./api.fixture.ts";

const INVALID = "InvalidParameterException";
type Strategy = PutClusterCapacityProvidersRequest["defaultCapacityProviderStrategy"];

test("UpdateCluster changes what it names, and shows it", async () => {
  await using api = await openApi();
  const executeCommandConfiguration = { logging: "NONE" } as const;
  await api.call("UpdateCluster", {
    cluster: "demo",
    configuration: { executeCommandConfiguration },
  });
  const { cluster } = await api.call("UpdateCluster", {
    cluster: "demo",
    settings: [{ name: "containerInsights", value: "enhanced" }],
    configuration: { managedStorageConfiguration: { kmsKeyId: "key" } },
  });
  assert.deepEqual(cluster?.settings, [{ name: "containerInsights", value: "enhanced" }]);
  assert.deepEqual(cluster?.configuration, {
    executeCommandConfiguration,
    managedStorageConfiguration: { kmsKeyId: "key" },
  });
  const { cluster: again } = await api.call("UpdateClusterSettings", {
    cluster: "demo",
    settings: [{ name: "containerInsights", value: "disabled" }],
  });
  assert.deepEqual(again?.settings, [{ name: "containerInsights", value: "disabled" }]);
  assert.deepEqual(again?.configuration, cluster?.configuration);
});

test("PutClusterCapacityProviders replaces providers and strategy", async () => {
  await using api = await openApi();
  const put = async (capacityProviders: string[], strategy: Strategy) =>
    (
      await api.call("PutClusterCapacityProviders", {
        cluster: "demo",
        capacityProviders,
        defaultCapacityProviderStrategy: strategy,
      })
    ).cluster;
  const cluster = await put(
    ["FARGATE", "FARGATE_SPOT"],
    [
      { capacityProvider: "FARGATE", base: 1 },
      { capacityProvider: "FARGATE_SPOT", weight: 3 },
    ],
  );
  assert.deepEqual(cluster?.capacityProviders, ["FARGATE", "FARGATE_SPOT"]);
  assert.deepEqual(cluster?.defaultCapacityProviderStrategy, [
    { capacityProvider: "FARGATE", weight: 0, base: 1 },
    { capacityProvider: "FARGATE_SPOT", weight: 3, base: 0 },
  ]);
  assert.deepEqual([cluster?.attachments, cluster?.attachmentsStatus], [[], "UPDATE_COMPLETE"]);
  const after = await put(["FARGATE"], []);
  assert.deepEqual(after?.capacityProviders, ["FARGATE"]);
  assert.deepEqual(after?.defaultCapacityProviderStrategy, []);
});

test("CreateCluster again answers with the cluster unless it should be another one", async () => {
  await using api = await openApi();
  const given: CreateClusterRequest = {
    clusterName: "new",
    capacityProviders: ["FARGATE"],
    defaultCapacityProviderStrategy: [{ capacityProvider: "FARGATE", weight: 1 }],
    settings: [{ name: "containerInsights", value: "enabled" }],
  };
  const { cluster } = await api.call("CreateCluster", given);
  assert.deepEqual((await api.call("CreateCluster", given)).cluster, cluster);
  assert.deepEqual((await api.call("CreateCluster", { clusterName: "new" })).cluster, cluster);
  const others: Partial<CreateClusterRequest>[] = [
    { settings: [{ name: "containerInsights", value: "disabled" }] },
    { capacityProviders: ["FARGATE_SPOT"], defaultCapacityProviderStrategy: [] },
    { configuration: { executeCommandConfiguration: { logging: "NONE" } } },
  ];
  for (const other of others) {
    await assert.rejects(api.call("CreateCluster", { clusterName: "new", ...other }), {
      name: INVALID,
      message:
        "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
    });
  }
});

test("capacity that a cluster cannot have", async (t) => {
  await using api = await openApi();
  await api.call("CreateCapacityProvider", {
    name: "own",
    autoScalingGroupProvider: { autoScalingGroupArn: "group" },
  });
  const fargate = { capacityProvider: "FARGATE" };
  const cases: readonly (readonly [providers: string[], strategy: Strategy, message: string])[] = [
    [
      ["none"],
      [],
      "The specified capacity provider was not found. Specify a valid capacity provider and try again",
    ],
    [
      ["own"],
      [fargate],
      "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. Associate the capacity provider with the cluster or specify a valid capacity provider and try again.",
    ],
    [
      ["own", "FARGATE"],
      [fargate, { capacityProvider: "own" }],
      "A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and Fargate providers. Specify one or the other and try again.",
    ],
    [
      ["FARGATE", "FARGATE_SPOT"],
      [
        { ...fargate, base: 1 },
        { capacityProvider: "FARGATE_SPOT", base: 1 },
      ],
      "The specified capacity provider strategy contains multiple capacity providers with a base value defined.",
    ],
    [["FARGATE"], [{ ...fargate, weight: 1001 }], "weight must be between 0 and 1000."],
    [["FARGATE"], [{ ...fargate, base: -1 }], "base must be between 0 and 100000."],
    [
      ["FARGATE"],
      [fargate, fargate],
      "A capacity provider strategy cannot contain a capacity provider more than once.",
    ],
    [Array(21).fill("own"), [], "A cluster can have a maximum of 20 capacity providers."],
  ];
  for (const [capacityProviders, defaultCapacityProviderStrategy, message] of cases) {
    const capacity = { capacityProviders, defaultCapacityProviderStrategy };
    await t.test(message, async () => {
      const expected = { name: INVALID, message };
      await assert.rejects(
        api.call("PutClusterCapacityProviders", { cluster: "demo", ...capacity }),
        expected,
      );
      await assert.rejects(
        api.call("CreateCluster", { clusterName: "new", ...capacity }),
        expected,
      );
    });
  }
});

test("clusters that cannot be", async (t) => {
  await using api = await openApi();
  const s3 = { cloudWatchLogGroupName: "g", s3EncryptionEnabled: true };
  const command = (configuration: object): CreateClusterRequest => ({
    configuration: { executeCommandConfiguration: configuration },
  });
  const cases: readonly (readonly [CreateClusterRequest, code: string, message: RegExp])[] = [
    [{ settings: [{ name: "containerInsights", value: "on" }] }, INVALID, /'on'/],
    [
      {
        settings: [
          { name: "containerInsights", value: "enabled" },
          { name: "containerInsights", value: "enabled" },
        ],
      },
      INVALID,
      /more than once/,
    ],
    [command({ logging: "OVERRIDE" }), INVALID, /must be specified when overriding/],
    [command({ logging: "OVERRIDE", logConfiguration: {} }), INVALID, /when overriding/],
    [command({ logging: "NONE", logConfiguration: {} }), INVALID, /must set logging to 'OVERRIDE'/],
    [command({ logging: "OVERRIDE", logConfiguration: s3 }), INVALID, /s3BucketName/],
    [command({ kmsKeyId: "k".repeat(8192) }), INVALID, /up to 8192 characters/],
    [{ serviceConnectDefaults: { namespace: "local" } }, INVALID, /Service Connect/],
    [
      { serviceConnectDefaults: { namespace: "arn:aws:servicediscovery:::namespace/ns-1" } },
      "NamespaceNotFoundException",
      /was not found/,
    ],
  ];
  for (const [input, name, message] of cases) {
    await t.test(String(message), async () => {
      const expected = { name, message };
      await assert.rejects(api.call("CreateCluster", { ...input, clusterName: "new" }), expected);
      await assert.rejects(api.call("UpdateCluster", { ...input, cluster: "demo" }), expected);
    });
  }
  await assert.rejects(api.call("UpdateClusterSettings", { cluster: "none", settings: [] }), {
    name: "ClusterNotFoundException",
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { CreateCapacityProviderRequest } from "@aws-sdk/client-ecs";
import { type Api, openApi } from "./api.fixture.ts";

const GROUP = "arn:aws:autoscaling:us-east-1:111111111111:autoScalingGroup:1:autoScalingGroupName/";

async function create(api: Api, name: string, group = name): Promise<void> {
  await api.call("CreateCapacityProvider", {
    name,
    autoScalingGroupProvider: { autoScalingGroupArn: GROUP + group },
  });
}

test("CreateCapacityProvider fills in what the caller does not say", async () => {
  await using api = await openApi();
  const { capacityProvider } = await api.call("CreateCapacityProvider", {
    name: "own",
    autoScalingGroupProvider: {
      autoScalingGroupArn: `${GROUP}own`,
      managedScaling: { status: "ENABLED", targetCapacity: 80 },
      managedTerminationProtection: "ENABLED",
    },
    tags: [{ key: "a", value: "b" }],
  });
  assert.deepEqual(capacityProvider, {
    capacityProviderArn: "arn:aws:ecs:us-east-1:111111111111:capacity-provider/own",
    name: "own",
    status: "ACTIVE",
    type: "EC2_AUTOSCALING",
    autoScalingGroupProvider: {
      autoScalingGroupArn: `${GROUP}own`,
      managedScaling: {
        status: "ENABLED",
        targetCapacity: 80,
        minimumScalingStepSize: 1,
        maximumScalingStepSize: 10_000,
        instanceWarmupPeriod: 300,
      },
      managedTerminationProtection: "ENABLED",
      managedDraining: "ENABLED",
    },
    updateStatus: "CREATE_COMPLETE",
    tags: [{ key: "a", value: "b" }],
  });
});

test("UpdateCapacityProvider changes what it names and nothing else", async () => {
  await using api = await openApi();
  await create(api, "own");
  const { capacityProvider } = await api.call("UpdateCapacityProvider", {
    name: "own",
    autoScalingGroupProvider: { managedScaling: { targetCapacity: 50 } },
  });
  const group = capacityProvider?.autoScalingGroupProvider;
  assert.equal(capacityProvider?.updateStatus, "UPDATE_COMPLETE");
  assert.equal(group?.managedScaling?.targetCapacity, 50);
  assert.equal(group?.managedScaling?.status, "DISABLED");
  assert.equal(group?.autoScalingGroupArn, `${GROUP}own`);
});

test("DescribeCapacityProviders shows AWS's own, the account's, and MISSING", async () => {
  await using api = await openApi();
  await create(api, "own");
  const all = await api.call("DescribeCapacityProviders", {});
  assert.deepEqual(
    all.capacityProviders?.map(({ name, type, status }) => [name, type, status]),
    [
      ["FARGATE", "FARGATE", "ACTIVE"],
      ["FARGATE_SPOT", "FARGATE_SPOT", "ACTIVE"],
      ["own", "EC2_AUTOSCALING", "ACTIVE"],
    ],
  );
  const arn = "arn:aws:ecs:us-east-1:111111111111:capacity-provider/";
  const named = await api.call("DescribeCapacityProviders", {
    capacityProviders: [`${arn}own`, "FARGATE", "none"],
  });
  assert.deepEqual(
    named.capacityProviders?.map(({ name }) => name),
    ["FARGATE", "own"],
  );
  assert.deepEqual(named.failures, [{ arn: `${arn}none`, reason: "MISSING" }]);
  await api.call("PutClusterCapacityProviders", {
    cluster: "demo",
    capacityProviders: ["own"],
    defaultCapacityProviderStrategy: [],
  });
  const ofCluster = await api.call("DescribeCapacityProviders", { cluster: "demo" });
  assert.deepEqual(
    ofCluster.capacityProviders?.map(({ name }) => name),
    ["own"],
  );
});

test("DescribeCapacityProviders gives ten a page", async () => {
  await using api = await openApi();
  for (let index = 0; index < 10; index++) await create(api, `p${index}`);
  const first = await api.call("DescribeCapacityProviders", {});
  assert.equal(first.capacityProviders?.length, 10);
  const { nextToken } = first;
  const second = await api.call("DescribeCapacityProviders", { nextToken });
  assert.deepEqual(
    second.capacityProviders?.map(({ name }) => name),
    ["p8", "p9"],
  );
  assert.equal(second.nextToken, undefined);
});

test("a provider is deleted once no cluster has it, and its name is free again", async () => {
  await using api = await openApi();
  await create(api, "own");
  const put = (capacityProviders: string[]): Promise<unknown> =>
    api.call("PutClusterCapacityProviders", {
      cluster: "demo",
      capacityProviders,
      defaultCapacityProviderStrategy: [],
    });
  await put(["own", "FARGATE"]);
  await assert.rejects(api.call("DeleteCapacityProvider", { capacityProvider: "own" }), {
    name: "ClientException",
    message: "The specified capacity provider is in use and cannot be removed.",
  });
  await put([]);
  const { capacityProvider } = await api.call("DeleteCapacityProvider", {
    capacityProvider: "arn:aws:ecs:us-east-1:111111111111:capacity-provider/own",
  });
  assert.equal(capacityProvider?.status, "ACTIVE");
  assert.equal(capacityProvider?.updateStatus, "DELETE_IN_PROGRESS");
  const { capacityProviders } = await api.call("DescribeCapacityProviders", {
    capacityProviders: ["own"],
  });
  assert.equal(capacityProviders?.[0]?.status, "INACTIVE");
  assert.equal(capacityProviders?.[0]?.updateStatus, "DELETE_COMPLETE");
  await assert.rejects(api.call("DeleteCapacityProvider", { capacityProvider: "own" }), {
    name: "ClientException",
    message:
      "The specified capacity provider does not exist. Specify a valid name or ARN and try again.",
  });
  await create(api, "own");
});

test("a provider that is deleted while a cluster takes it is either gone or taken", async () => {
  await using api = await openApi();
  for (let round = 0; round < 10; round++) {
    await create(api, "own");
    const [put, deleted] = await Promise.allSettled([
      api.call("PutClusterCapacityProviders", {
        cluster: "demo",
        capacityProviders: ["own"],
        defaultCapacityProviderStrategy: [],
      }),
      api.call("DeleteCapacityProvider", { capacityProvider: "own" }),
    ]);
    assert.notEqual(put?.status, deleted?.status);
    if (deleted?.status === "fulfilled") continue;
    await api.call("PutClusterCapacityProviders", {
      cluster: "demo",
      capacityProviders: [],
      defaultCapacityProviderStrategy: [],
    });
    await api.call("DeleteCapacityProvider", { capacityProvider: "own" });
  }
});

test("providers that cannot be", async (t) => {
  await using api = await openApi();
  await create(api, "taken");
  const group = (
    changes: NonNullable<
      CreateCapacityProviderRequest["autoScalingGroupProvider"]
    >["managedScaling"],
  ): CreateCapacityProviderRequest => ({
    name: "new",
    autoScalingGroupProvider: { autoScalingGroupArn: `${GROUP}new`, managedScaling: changes },
  });
  const plain = { autoScalingGroupArn: `${GROUP}new` };
  const cases: readonly (readonly [
    CreateCapacityProviderRequest,
    code: string,
    message: RegExp,
  ])[] = [
    [{ name: "a b", autoScalingGroupProvider: plain }, "ClientException", /name is invalid/],
    [{ name: "Fargate2", autoScalingGroupProvider: plain }, "ClientException", /prefixed/],
    [{ name: "new" }, "InvalidParameterException", /autoScalingGroupProvider/],
    [
      { name: "taken", autoScalingGroupProvider: plain },
      "ClientException",
      /^The specified capacity provider already exists\. To change the configuration/,
    ],
    [
      { name: "new", autoScalingGroupProvider: { autoScalingGroupArn: `${GROUP}taken` } },
      "ClientException",
      /already being used by another capacity provider/,
    ],
    [group({ targetCapacity: 101 }), "ClientException", /targetCapacity must be between 1 and 100/],
    [group({ instanceWarmupPeriod: -1 }), "ClientException", /between 0 and 10000/],
    [
      group({ minimumScalingStepSize: 3, maximumScalingStepSize: 2 }),
      "ClientException",
      /must not exceed/,
    ],
    [
      {
        name: "new",
        autoScalingGroupProvider: { ...plain, managedTerminationProtection: "ENABLED" },
      },
      "ClientException",
      /^The managed termination protection setting for the capacity provider is invalid\./,
    ],
    [
      {
        name: "new",
        managedInstancesProvider: {
          infrastructureRoleArn: "arn:aws:iam::111111111111:role/r",
          instanceLaunchTemplate: {
            ec2InstanceProfileArn: "arn:aws:iam::111111111111:instance-profile/p",
            networkConfiguration: {},
          },
        },
      },
      "UnsupportedFeatureException",
      /not available/,
    ],
  ];
  for (const [input, name, message] of cases) {
    await t.test(String(message), () =>
      assert.rejects(api.call("CreateCapacityProvider", input), { name, message }),
    );
  }
  for (const name of ["FARGATE", "FARGATE_SPOT"]) {
    await assert.rejects(api.call("DeleteCapacityProvider", { capacityProvider: name }), {
      name: "ClientException",
      message: `The capacity provider ${name} is reserved: it can be neither changed nor deleted.`,
    });
  }
});

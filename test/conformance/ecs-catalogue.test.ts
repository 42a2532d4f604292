/** Tier 5: the parts of ECS that need no container, through the real SDK: settings, tags, attributes, capacity. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  AttributeLimitExceededException,
  ClientException,
  ClusterNotFoundException,
  CreateCapacityProviderCommand,
  CreateClusterCommand,
  DeleteAccountSettingCommand,
  DeleteCapacityProviderCommand,
  DeleteClusterCommand,
  DescribeCapacityProvidersCommand,
  DescribeClustersCommand,
  InvalidParameterException,
  LimitExceededException,
  ListAccountSettingsCommand,
  ListTagsForResourceCommand,
  NamespaceNotFoundException,
  PutAccountSettingCommand,
  PutAccountSettingDefaultCommand,
  PutAttributesCommand,
  PutClusterCapacityProvidersCommand,
  paginateListAccountSettings,
  paginateListAttributes,
  paginateListClusters,
  RegisterTaskDefinitionCommand,
  ResourceInUseException,
  ResourceNotFoundException,
  RunTaskCommand,
  type SettingName,
  StopTaskCommand,
  TagResourceCommand,
  TargetNotFoundException,
  UntagResourceCommand,
  UpdateClusterCommand,
} from "@aws-sdk/client-ecs";
import { ACCOUNT_ID, REGION } from "../door-kit.ts";
import { type EcsDoor, openEcsDoor } from "./ecs-kit.ts";

const ARN = `arn:aws:ecs:${REGION}:${ACCOUNT_ID}:`;
const containerDefinitions = [{ name: "web", image: "hello", memory: 64 }];

describe("the ECS catalogue through the SDK", () => {
  let door: EcsDoor;
  const send: EcsDoor["ecs"]["send"] = (...args: [never]) => door.ecs.send(...args);

  before(async () => {
    door = await openEcsDoor();
    await send(new CreateClusterCommand({ clusterName: "demo" }));
    await door.addInstance("demo", "one");
    await door.addFleetInstance("hidden");
  });
  after(() => door[Symbol.asyncDispose]());

  test("account settings: what is set, what is in effect, ten to a page", async () => {
    await send(
      new PutAccountSettingDefaultCommand({ name: "containerInsights", value: "enabled" }),
    );
    const { cluster } = await send(new CreateClusterCommand({ clusterName: "watched" }));
    assert.deepEqual(cluster?.settings, [{ name: "containerInsights", value: "enabled" }]);
    const values = new Map<string | undefined, string | undefined>();
    const pages = paginateListAccountSettings({ client: door.ecs }, { effectiveSettings: true });
    for await (const { settings = [] } of pages) {
      for (const { name, value } of settings) values.set(name, value);
    }
    assert.equal(values.size, 12);
    assert.equal(values.get("containerInsights"), "enabled");
    assert.equal(values.get("fargateTaskRetirementWaitPeriod"), "7");
    await send(new DeleteAccountSettingCommand({ name: "containerInsights" }));
    const { settings } = await send(new ListAccountSettingsCommand({}));
    assert.deepEqual(settings, []);
    await assert.rejects(
      send(new PutAccountSettingCommand({ name: "unknown" as SettingName, value: "enabled" })),
      (error) =>
        error instanceof InvalidParameterException &&
        error.message.startsWith("unknown should be one of [serviceLongArnFormat,"),
    );
  });

  test("clusters: every include, and what cannot be found", async () => {
    await send(
      new UpdateClusterCommand({
        cluster: "demo",
        settings: [{ name: "containerInsights", value: "enhanced" }],
        configuration: { executeCommandConfiguration: { logging: "NONE" } },
      }),
    );
    const { clusters, failures } = await send(
      new DescribeClustersCommand({
        clusters: ["demo", "none"],
        include: ["ATTACHMENTS", "CONFIGURATIONS", "SETTINGS", "STATISTICS", "TAGS"],
      }),
    );
    assert.deepEqual(clusters?.[0]?.settings, [{ name: "containerInsights", value: "enhanced" }]);
    assert.equal(clusters?.[0]?.configuration?.executeCommandConfiguration?.logging, "NONE");
    assert.equal(clusters?.[0]?.statistics?.length, 12);
    assert.deepEqual(clusters?.[0]?.attachments, []);
    assert.deepEqual(failures, [{ arn: `${ARN}cluster/none`, reason: "MISSING" }]);
    await assert.rejects(
      send(
        new CreateClusterCommand({
          clusterName: "connected",
          serviceConnectDefaults: { namespace: "arn:aws:servicediscovery:::namespace/ns-1" },
        }),
      ),
      NamespaceNotFoundException,
    );
  });

  test("clusters: the paginator reads all that are ACTIVE", async () => {
    for (const clusterName of ["p1", "p2", "p3"]) {
      await send(new CreateClusterCommand({ clusterName }));
    }
    await send(new DeleteClusterCommand({ cluster: "p2" }));
    const seen: string[] = [];
    for await (const { clusterArns = [] } of paginateListClusters(
      { client: door.ecs, pageSize: 1 },
      {},
    )) {
      seen.push(...clusterArns.map((arn) => arn.split("/")[1] ?? ""));
    }
    assert.deepEqual(seen, ["demo", "p1", "p3", "watched"]);
  });

  test("tags: from creation to the limit", async () => {
    const resourceArn = `${ARN}task-definition/tagged:1`;
    const tags = [{ key: "team", value: "web" }];
    await send(new RegisterTaskDefinitionCommand({ family: "tagged", containerDefinitions, tags }));
    await send(new TagResourceCommand({ resourceArn, tags: [{ key: "tier", value: "1" }] }));
    await send(new UntagResourceCommand({ resourceArn, tagKeys: ["team"] }));
    const listed = await send(new ListTagsForResourceCommand({ resourceArn }));
    assert.deepEqual(listed.tags, [{ key: "tier", value: "1" }]);
    const many = Array.from({ length: 50 }, (_, index) => ({ key: `k${index}`, value: "" }));
    await assert.rejects(
      send(new TagResourceCommand({ resourceArn, tags: many })),
      LimitExceededException,
    );
    await assert.rejects(
      send(new TagResourceCommand({ resourceArn: `${ARN}task/demo/none`, tags })),
      ResourceNotFoundException,
    );
    await assert.rejects(
      send(new ListTagsForResourceCommand({ resourceArn: `${ARN}cluster/none` })),
      ClusterNotFoundException,
    );
  });

  test("attributes: put, paged, limited", async () => {
    const put = (targetId: string, count: number) =>
      send(
        new PutAttributesCommand({
          cluster: "demo",
          attributes: Array.from({ length: count }, (_, n) => ({ name: `a${n}`, targetId })),
        }),
      );
    const { attributes } = await put("one", 3);
    assert.equal(attributes?.[0]?.targetId, `${ARN}container-instance/demo/one`);
    const names: (string | undefined)[] = [];
    for await (const page of paginateListAttributes(
      { client: door.ecs, pageSize: 2 },
      { cluster: "demo", targetType: "container-instance" },
    )) {
      names.push(...(page.attributes ?? []).map(({ name }) => name));
    }
    assert.deepEqual(names.slice(0, 3), ["a0", "a1", "a2"]);
    assert.equal(new Set(names).size, names.length);
    await put("one", 10);
    await assert.rejects(
      send(
        new PutAttributesCommand({
          cluster: "demo",
          attributes: [{ name: "another", targetId: "one" }],
        }),
      ),
      AttributeLimitExceededException,
    );
    await assert.rejects(put("none", 1), TargetNotFoundException);
  });

  test("capacity providers: made, taken by a cluster, used by tasks, given up, deleted", async () => {
    await send(
      new CreateCapacityProviderCommand({
        name: "own",
        autoScalingGroupProvider: { autoScalingGroupArn: "group" },
      }),
    );
    const put = (capacityProviders: string[]) =>
      send(
        new PutClusterCapacityProvidersCommand({
          cluster: "demo",
          capacityProviders,
          defaultCapacityProviderStrategy: [],
        }),
      );
    await put(["own", "FARGATE_SPOT"]);
    const remove = new DeleteCapacityProviderCommand({ capacityProvider: "own" });
    await assert.rejects(send(remove), ClientException);
    await send(
      new RegisterTaskDefinitionCommand({
        family: "spot",
        networkMode: "awsvpc",
        cpu: "256",
        memory: "512",
        containerDefinitions,
      }),
    );
    const { tasks } = await send(
      new RunTaskCommand({
        cluster: "demo",
        taskDefinition: "spot",
        capacityProviderStrategy: [{ capacityProvider: "FARGATE_SPOT", weight: 1 }],
        networkConfiguration: { awsvpcConfiguration: { subnets: ["subnet-1"] } },
        enableECSManagedTags: true,
      }),
    );
    assert.equal(tasks?.[0]?.capacityProviderName, "FARGATE_SPOT");
    assert.deepEqual(tasks?.[0]?.tags, [{ key: "aws:ecs:clusterName", value: "demo" }]);
    await assert.rejects(put([]), ResourceInUseException);
    await put(["FARGATE_SPOT"]);
    const deleted = await send(remove);
    assert.equal(deleted.capacityProvider?.updateStatus, "DELETE_IN_PROGRESS");
    const described = await send(
      new DescribeCapacityProvidersCommand({ capacityProviders: ["own", "FARGATE", "none"] }),
    );
    assert.deepEqual(
      described.capacityProviders?.map(({ name, status }) => [name, status]),
      [
        ["FARGATE", "ACTIVE"],
        ["own", "INACTIVE"],
      ],
    );
    assert.deepEqual(described.failures, [
      { arn: `${ARN}capacity-provider/none`, reason: "MISSING" },
    ]);
    await send(new StopTaskCommand({ cluster: "demo", task: tasks?.[0]?.taskArn }));
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { FLEET_ACCOUNT_ID } from "../model/keys.ts";
import {
  type Api,
  addFleetInstance,
  addInstance,
  openApi,
  registerEc2,
  registerFargate,
} from "./api.fixture.ts";

const ARN = "arn:aws:ecs:us-east-1:111111111111:";
const GROUP =
  "arn:aws:autoscaling:us-east-1:111111111111:autoScalingGroup:1:autoScalingGroupName/g";

/** One resource of each kind that can have tags. */
async function everyKind(api: Api): Promise<readonly string[]> {
  await addInstance(api, "one");
  await registerEc2(api);
  const { tasks } = await api.call("RunTask", { cluster: "demo", taskDefinition: "ec2" });
  await api.call("CreateCapacityProvider", {
    name: "own",
    autoScalingGroupProvider: { autoScalingGroupArn: GROUP },
  });
  return [
    `${ARN}cluster/demo`,
    `${ARN}container-instance/demo/one`,
    tasks?.[0]?.taskArn ?? "",
    `${ARN}task-definition/ec2:1`,
    `${ARN}capacity-provider/own`,
  ];
}

test("every kind of resource is tagged, listed and untagged", async (t) => {
  await using api = await openApi();
  for (const resourceArn of await everyKind(api)) {
    await t.test(resourceArn, async () => {
      const list = async (): Promise<unknown> =>
        (await api.call("ListTagsForResource", { resourceArn })).tags;
      const before = [
        { key: "team", value: "web" },
        { key: "bare", value: "" },
      ];
      await api.call("TagResource", {
        resourceArn,
        tags: [{ key: "team", value: "web" }, { key: "bare" }],
      });
      assert.deepEqual(await list(), before);
      await api.call("TagResource", { resourceArn, tags: [{ key: "team", value: "db" }] });
      await api.call("UntagResource", { resourceArn, tagKeys: ["bare", "never"] });
      assert.deepEqual(await list(), [{ key: "team", value: "db" }]);
    });
  }
});

test("what Describe includes are the same tags", async () => {
  await using api = await openApi();
  const [, instance = "", task = "", definition = "", provider = ""] = await everyKind(api);
  const tags = [{ key: "a", value: "b" }];
  for (const resourceArn of [instance, task, definition, provider]) {
    await api.call("TagResource", { resourceArn, tags });
  }
  const include: "TAGS"[] = ["TAGS"];
  const answers = [
    (await api.call("DescribeTasks", { cluster: "demo", tasks: [task], include })).tasks?.[0]?.tags,
    (await api.call("DescribeTaskDefinition", { taskDefinition: definition, include })).tags,
    (await api.call("DescribeCapacityProviders", { capacityProviders: [provider], include }))
      .capacityProviders?.[0]?.tags,
    (
      await api.call("DescribeContainerInstances", {
        cluster: "demo",
        containerInstances: [instance],
        include,
      })
    ).containerInstances?.[0]?.tags,
  ];
  assert.deepEqual(answers, [tags, tags, tags, tags]);
});

test("a resource has up to 50 tags, and those of AWS do not count", async () => {
  await using api = await openApi();
  const many = Array.from({ length: 50 }, (_, index) => ({ key: `k${index}`, value: "" }));
  await addInstance(api, "one", {
    tags: [...many.slice(1), { key: "aws:ecs:clusterName", value: "demo" }],
  });
  const resourceArn = `${ARN}container-instance/demo/one`;
  await api.call("TagResource", { resourceArn, tags: [{ key: "k0", value: "" }] });
  await assert.rejects(
    api.call("TagResource", { resourceArn, tags: [{ key: "one too many", value: "" }] }),
    { name: "LimitExceededException", message: "A resource can have at most 50 tags." },
  );
});

test("tags that cannot be", async (t) => {
  await using api = await openApi();
  const resourceArn = `${ARN}cluster/demo`;
  const long = "x".repeat(129);
  const cases: readonly (readonly [tags: { key: string; value?: string }[], message: string])[] = [
    [[{ key: "AWS:mine", value: "" }], "Tag 'AWS:mine' has the reserved prefix 'aws:'."],
    [[{ key: "" }], "Tag keys must have 1 to 128 characters."],
    [[{ key: long }], "Tag keys must have 1 to 128 characters."],
    [[{ key: "a", value: `${long}${long}` }], "The value of tag 'a' has more than 256 characters."],
    [[{ key: "a!" }], "Tag 'a!' contains invalid characters."],
    [[{ key: "a", value: "#" }], "Tag 'a' contains invalid characters."],
    [[{ key: "a" }, { key: "a" }], "Tag 'a' is given more than once."],
    [
      Array.from({ length: 51 }, (_, n) => ({ key: `${n}` })),
      "A resource can have at most 50 tags.",
    ],
  ];
  for (const [tags, message] of cases) {
    await t.test(message, async () => {
      const expected = { name: "InvalidParameterException", message };
      await assert.rejects(api.call("TagResource", { resourceArn, tags }), expected);
      await assert.rejects(api.call("CreateCluster", { clusterName: "new", tags }), expected);
    });
  }
  await assert.rejects(
    api.call("UntagResource", { resourceArn, tagKeys: ["aws:ecs:clusterName"] }),
    { name: "InvalidParameterException" },
  );
});

test("ARNs that cannot have tags", async (t) => {
  await using api = await openApi();
  await everyKind(api);
  await api.call("CreateCluster", { clusterName: "gone" });
  await api.call("DeleteCluster", { cluster: "gone" });
  const invalid = "InvalidParameterException";
  const cases: readonly (readonly [arn: string, name: string, message: string])[] = [
    ["demo", invalid, "The ARN provided is invalid."],
    ["arn:aws:ecs:eu-west-1:111111111111:cluster/demo", invalid, "The ARN provided is invalid."],
    [`${ARN}task-definition/ec2`, invalid, "The ARN provided is invalid."],
    [`${ARN}task/abc`, invalid, "Long arn format must be used for tagging operations"],
    [`${ARN}cluster/none`, "ClusterNotFoundException", "Cluster not found."],
    [
      `${ARN}cluster/gone`,
      invalid,
      "The specified cluster is inactive. Specify an active cluster and try again.",
    ],
    [
      `${ARN}task/demo/none`,
      "ResourceNotFoundException",
      "The specified task was not found. Specify a valid task and try again.",
    ],
    [
      `${ARN}service/demo/web`,
      "ResourceNotFoundException",
      "The specified service was not found. Specify a valid service and try again.",
    ],
    [
      `${ARN}capacity-provider/FARGATE`,
      invalid,
      "The capacity provider FARGATE is reserved: it cannot be tagged.",
    ],
  ];
  for (const [resourceArn, name, message] of cases) {
    await t.test(resourceArn, async () => {
      const tags = [{ key: "a", value: "b" }];
      await assert.rejects(api.call("TagResource", { resourceArn, tags }), { name, message });
      const listed = name === "ResourceNotFoundException" ? invalid : name;
      await assert.rejects(api.call("ListTagsForResource", { resourceArn }), {
        name: listed,
        message,
      });
    });
  }
});

test("a stopped task's tags are gone", async () => {
  await using api = await openApi();
  const [, , resourceArn = ""] = await everyKind(api);
  await api.call("TagResource", { resourceArn, tags: [{ key: "a", value: "b" }] });
  await api.call("StopTask", { cluster: "demo", task: resourceArn });
  assert.deepEqual((await api.call("ListTagsForResource", { resourceArn })).tags, []);
});

test("a machine reads the tags of a task on it, whatever account the task is of", async () => {
  await using api = await openApi();
  await addFleetInstance(api, "hidden");
  await registerFargate(api);
  const { tasks } = await api.call("RunTask", {
    cluster: "demo",
    taskDefinition: "fargate",
    launchType: "FARGATE",
    networkConfiguration: { awsvpcConfiguration: { subnets: ["subnet-1"] } },
    tags: [{ key: "stage", value: "test" }],
  });
  const resourceArn = tasks?.[0]?.taskArn;
  const machine = api.asMachine(FLEET_ACCOUNT_ID, "i-00000000000000001");
  const { tags } = await machine.call("ListTagsForResource", { resourceArn });
  assert.deepEqual(tags, [{ key: "stage", value: "test" }]);
  const stranger = api.as(FLEET_ACCOUNT_ID);
  await assert.rejects(stranger.call("ListTagsForResource", { resourceArn }), {
    message: "The ARN provided is invalid.",
  });
});

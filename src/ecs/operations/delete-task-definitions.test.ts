import assert from "node:assert/strict";
import { test } from "node:test";
import { runController } from "../../store/controller.ts";
import { settle } from "../control/control.fixture.ts";
import { createTaskDefinitionReaper } from "../control/task-definition-reaper.ts";
import { addInstance, openApi, registerEc2 } from "./api.fixture.ts";

const ARN = "arn:aws:ecs:us-east-1:111111111111:task-definition/";

test("only INACTIVE revisions are deleted, and for the others it is said why not", async () => {
  await using api = await openApi();
  for (let revision = 1; revision <= 2; revision++) await registerEc2(api);
  await api.call("DeregisterTaskDefinition", { taskDefinition: "ec2:1" });
  const asked = ["ec2:1", "ec2:2", `${ARN}ec2:3`, "ec2", "ec2:x", "arn:aws:ecs:::nothing"];
  const answer = await api.call("DeleteTaskDefinitions", { taskDefinitions: asked });
  assert.deepEqual(
    answer.taskDefinitions?.map(({ taskDefinitionArn, status, deleteRequestedAt }) => [
      taskDefinitionArn,
      status,
      deleteRequestedAt?.getTime(),
    ]),
    [[`${ARN}ec2:1`, "DELETE_IN_PROGRESS", api.world.clock.now()]],
  );
  const invalid =
    "The specified task definition identifier is invalid. Specify a valid name or ARN and try again.";
  assert.deepEqual(answer.failures, [
    {
      arn: "ec2:2",
      reason:
        "The specified task definition is still in ACTIVE status. Please deregister the target and try again.",
    },
    {
      arn: `${ARN}ec2:3`,
      reason:
        "The specified task definition does not exist. Specify a valid account, family, revision and try again.",
    },
    { arn: "ec2", reason: invalid },
    { arn: "ec2:x", reason: invalid },
    { arn: "arn:aws:ecs:::nothing", reason: invalid },
  ]);
  const listed = await api.call("ListTaskDefinitions", { status: "DELETE_IN_PROGRESS" });
  assert.deepEqual(listed.taskDefinitionArns, [`${ARN}ec2:1`]);
});

test("the list has one to ten definitions", async () => {
  await using api = await openApi();
  await assert.rejects(api.call("DeleteTaskDefinitions", { taskDefinitions: [] }), {
    name: "InvalidParameterException",
    message: "size of TaskDefinition references list must be greater than 0",
  });
  await assert.rejects(
    api.call("DeleteTaskDefinitions", { taskDefinitions: Array(11).fill("a:1") }),
    {
      name: "InvalidParameterException",
      message: "Size of TaskDefinition references list cannot exceed 10",
    },
  );
});

test("a deleted revision is gone, its family unlisted, its number never used again", async () => {
  await using api = await openApi();
  const { world } = api;
  world.run((signal) => runController(createTaskDefinitionReaper(world), world, signal));
  await addInstance(api, "one");
  await registerEc2(api);
  await api.call("RunTask", { cluster: "demo", taskDefinition: "ec2" });
  await api.call("DeregisterTaskDefinition", { taskDefinition: "ec2:1" });
  await api.call("DeleteTaskDefinitions", { taskDefinitions: ["ec2:1"] });
  await settle();
  const { taskDefinition } = await api.call("DescribeTaskDefinition", { taskDefinition: "ec2:1" });
  assert.equal(taskDefinition?.status, "DELETE_IN_PROGRESS", "a task still runs by it");
  await api.call("DeregisterContainerInstance", {
    cluster: "demo",
    containerInstance: "one",
    force: true,
  });
  const tasks = world.cache.list("/111111111111/us-east-1/ecs/tasks/");
  await world.put(
    ...tasks.map(({ key, value }) => ({
      key,
      value: { ...(value as object), lastStatus: "STOPPED" },
    })),
  );
  await settle();
  await assert.rejects(api.call("DescribeTaskDefinition", { taskDefinition: "ec2:1" }), {
    name: "ClientException",
    message: "Unable to describe task definition.",
  });
  assert.deepEqual((await api.call("ListTaskDefinitionFamilies", {})).families, []);
  await registerEc2(api);
  const again = await api.call("DescribeTaskDefinition", { taskDefinition: "ec2" });
  assert.equal(again.taskDefinition?.revision, 2);
});

test("a definition that is being deleted starts nothing", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  await registerEc2(api);
  await api.call("DeregisterTaskDefinition", { taskDefinition: "ec2:1" });
  await api.call("DeleteTaskDefinitions", { taskDefinitions: ["ec2:1"] });
  await assert.rejects(api.call("RunTask", { cluster: "demo", taskDefinition: "ec2:1" }), {
    name: "ClientException",
    message: "TaskDefinition is inactive",
  });
});

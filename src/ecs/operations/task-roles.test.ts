import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunTaskRequest } from "@aws-sdk/client-ecs";
import { addInstance, openApi, registerEc2 } from "./api.fixture.ts";

const ROLE = "arn:aws:iam::111111111111:role/t";
const FOREIGN = "arn:aws:iam::222222222222:role/t";
const EC2 = { cluster: "demo", taskDefinition: "ec2", launchType: "EC2" } satisfies RunTaskRequest;
const FAULT = (arn: string): string =>
  `ECS was unable to assume the role '${arn}' that was provided for this task. Please verify that the role being passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this role.`;

const container = { name: "web", image: "hello", memory: 64 };

test("a task starts in roles that are there and trust ECS, and in no others", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  await registerEc2(api);
  const run = (overrides: RunTaskRequest["overrides"]) =>
    api.call("RunTask", { ...EC2, overrides });
  assert.equal((await run({ executionRoleArn: ROLE })).tasks?.length, 1);
  for (const name of ["taskRoleArn", "executionRoleArn"] as const) {
    const missing = "arn:aws:iam::111111111111:role/missing";
    await assert.rejects(run({ [name]: missing }), {
      code: "ClientException",
      message: FAULT(missing),
    });
  }
  const start = api.call("StartTask", {
    cluster: "demo",
    taskDefinition: "ec2",
    containerInstances: ["one"],
    overrides: { taskRoleArn: "missing" },
  });
  await assert.rejects(start, { message: FAULT("arn:aws:iam::111111111111:role/missing") });
});

test("a definition takes any role of the account by name or ARN: whether it is there shows when it runs", async () => {
  await using api = await openApi();
  const register = (taskRoleArn: string) =>
    api.call("RegisterTaskDefinition", {
      family: "f",
      taskRoleArn,
      containerDefinitions: [container],
    });
  for (const text of ["missing", "arn:aws:iam::111111111111:role/path/to/missing"]) {
    assert.equal((await register(text)).taskDefinition?.taskRoleArn, text);
  }
  for (const text of ["arn:aws:iam::111111111111:user/ada", "arn:", "a b", "x".repeat(65)]) {
    await assert.rejects(register(text), {
      code: "ClientException",
      message: /^Role is not valid/,
    });
  }
  await assert.rejects(register(FOREIGN), {
    code: "AccessDeniedException",
    message: "Cross-account pass role is not allowed.",
  });
  const run = api.call("RunTask", { ...EC2, taskDefinition: "f" });
  await assert.rejects(run, { code: "ClientException" });
});

test("a short name is the ARN of a role without a path, in the task", async () => {
  await using api = await openApi();
  await addInstance(api, "one", {
    attributes: [
      { name: "com.amazonaws.ecs.capability.task-iam-role" },
      { name: "com.amazonaws.ecs.capability.docker-remote-api.1.21" },
    ],
  });
  await api.call("RegisterTaskDefinition", {
    family: "named",
    taskRoleArn: "t",
    containerDefinitions: [container],
  });
  const { tasks, failures } = await api.call("RunTask", { ...EC2, taskDefinition: "named" });
  assert.deepEqual(failures, []);
  const id = tasks?.[0]?.taskArn?.slice(-32) ?? "";
  const stored = api.world.cache
    .list("/111111111111/")
    .map(({ value }) => value as { id?: string; taskRoleArn?: string })
    .find((record) => record.id === id);
  assert.equal(stored?.taskRoleArn, ROLE);
});

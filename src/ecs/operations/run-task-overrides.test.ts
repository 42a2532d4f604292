import assert from "node:assert/strict";
import { test } from "node:test";
import type { TaskOverride } from "@aws-sdk/client-ecs";
import { addFleetInstance, addInstance, openApi } from "./api.fixture.ts";

const SECRET = "arn:aws:ssm:us-east-1:111111111111:parameter/key";

test("overrides are held to the rules of the definition", async (t) => {
  await using api = await openApi();
  await addInstance(api, "one");
  await api.call("RegisterTaskDefinition", {
    family: "web",
    executionRoleArn: "arn:aws:iam::111111111111:role/t",
    containerDefinitions: [
      {
        name: "web",
        image: "hello",
        memory: 512,
        memoryReservation: 128,
        secrets: [{ name: "KEY", valueFrom: SECRET }],
      },
    ],
  });
  const web = (override: object): TaskOverride => ({
    containerOverrides: [{ name: "web", ...override }],
  });
  const cases: readonly (readonly [TaskOverride, RegExp])[] = [
    [web({ memory: 2 }), /'memory' and 'memoryReservation' must be at least 4/],
    [web({ memory: 64 }), /'memory' must be greater than or equal to 'memoryReservation'/],
    [
      web({ memoryReservation: 1024 }),
      /'memory' must be greater than or equal to 'memoryReservation'/,
    ],
    [web({ cpu: -1 }), /'cpu' must not be negative/],
    [web({ environment: [{ value: "x" }] }), /An environment variable needs a 'name'/],
    [web({ environment: [{ name: "KEY", value: "x" }] }), /such as 'KEY'/],
    [{ ephemeralStorage: { sizeInGiB: 20 } }, /^EphemeralStorage size should be at least 21$/],
    [{ ephemeralStorage: { sizeInGiB: 201 } }, /^EphemeralStorage size should be at most 200$/],
  ];
  for (const [overrides, message] of cases) {
    const input = { cluster: "demo", taskDefinition: "web", overrides };
    await t.test(JSON.stringify(overrides), () =>
      assert.rejects(api.call("RunTask", input), { name: "InvalidParameterException", message }),
    );
  }
});

test("a FARGATE task has the disk that its overrides say", async () => {
  await using api = await openApi();
  await addFleetInstance(api, "fleet");
  await api.call("RegisterTaskDefinition", {
    family: "web",
    requiresCompatibilities: ["FARGATE"],
    networkMode: "awsvpc",
    cpu: "256",
    memory: "512",
    containerDefinitions: [{ name: "web", image: "hello" }],
  });
  const { tasks } = await api.call("RunTask", {
    cluster: "demo",
    taskDefinition: "web",
    launchType: "FARGATE",
    networkConfiguration: { awsvpcConfiguration: { subnets: ["subnet-1"] } },
    overrides: { ephemeralStorage: { sizeInGiB: 21 } },
  });
  assert.deepEqual(tasks?.[0]?.ephemeralStorage, { sizeInGiB: 21 });
});

test("startedBy has 128 characters in RunTask, and 36 in StartTask", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  await api.call("RegisterTaskDefinition", {
    family: "web",
    containerDefinitions: [{ name: "web", image: "hello", memory: 64 }],
  });
  const input = { cluster: "demo", taskDefinition: "web" };
  const start = (length: number) =>
    api.call("StartTask", { ...input, containerInstances: ["one"], startedBy: "x".repeat(length) });
  const run = (length: number) => api.call("RunTask", { ...input, startedBy: "x".repeat(length) });
  assert.equal((await start(36)).tasks?.length, 1);
  assert.equal((await run(128)).tasks?.length, 1);
  await assert.rejects(start(37), { name: "InvalidParameterException" });
  await assert.rejects(run(129), { name: "InvalidParameterException" });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { addInstance, openApi, registerEc2 } from "./api.fixture.ts";

test("a refusal names what was given, and no more than a part of what is long", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  await registerEc2(api);
  const run = { cluster: "demo", taskDefinition: "ec2" };
  const start = { ...run, containerInstances: ["one"] };
  const long = "x".repeat(300);
  const cases: readonly (readonly [Promise<unknown>, message: RegExp])[] = [
    [api.call("RunTask", { ...run, count: 11 }), /between 1 and 10, not 11\.$/],
    [api.call("RunTask", { ...run, startedBy: "me & you" }), /^Invalid startedBy 'me & you': /],
    [api.call("StartTask", { ...start, startedBy: long }), /^Invalid startedBy 'x{100}': /],
    [api.call("RunTask", { ...run, group: long }), /^Invalid group 'x{100}': /],
    [api.call("RunTask", { ...run, group: "service:web" }), /^Invalid group 'service:web': /],
    [api.call("RunTask", { ...run, clientToken: "é" }), /^Invalid clientToken 'é': /],
    [api.call("ListTasks", { cluster: "demo", maxResults: 0 }), /between 1 and 100, not 0\.$/],
    [api.call("CreateCluster", { clusterName: "a b" }), /^Invalid cluster name 'a b': /],
  ];
  for (const [call, message] of cases) {
    await assert.rejects(call, { name: "InvalidParameterException", message });
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { taskKey } from "../model/keys.ts";
import type { Task } from "../model/task.ts";
import { addInstance, openApi, registerEc2 } from "./api.fixture.ts";

const SCOPE = { accountId: "111111111111", region: "us-east-1" };
const FOREIGN = {
  name: "InvalidParameterException",
  message: "Invalid identifier: Identifier is for cluster other. Your cluster is demo",
};
const foreignArn = (type: string): string => `arn:aws:ecs:us-east-1:111111111111:${type}/other/one`;

test("a call that names something of another cluster fails before it has done anything", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  await registerEc2(api);
  const containerInstances = ["one", foreignArn("container-instance")];
  const start = { cluster: "demo", taskDefinition: "ec2", containerInstances };
  await assert.rejects(api.call("StartTask", start), FOREIGN);
  assert.deepEqual((await api.call("ListTasks", { cluster: "demo" })).taskArns, []);

  const drain = { cluster: "demo", containerInstances, status: "DRAINING" as const };
  await assert.rejects(api.call("UpdateContainerInstancesState", drain), FOREIGN);
  const draining = { cluster: "demo", status: "DRAINING" as const };
  const drained = await api.call("ListContainerInstances", draining);
  assert.deepEqual(drained.containerInstanceArns, []);

  const { tasks } = await api.call("RunTask", { cluster: "demo", taskDefinition: "ec2" });
  const arn = tasks?.[0]?.taskArn ?? "";
  const key = taskKey(SCOPE, "demo", arn.split("/").at(-1) ?? "");
  await api.world.put({ key, value: { ...api.world.value<Task>(key), group: "service:web" } });
  const protect = { cluster: "demo", tasks: [arn, foreignArn("task")], protectionEnabled: true };
  await assert.rejects(api.call("UpdateTaskProtection", protect), FOREIGN);
  const read = await api.call("GetTaskProtection", { cluster: "demo", tasks: [arn] });
  assert.equal(read.protectedTasks?.[0]?.protectionEnabled, false);
});

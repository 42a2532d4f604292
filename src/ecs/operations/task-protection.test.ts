import assert from "node:assert/strict";
import { test } from "node:test";
import { taskKey } from "../model/keys.ts";
import type { Task } from "../model/task.ts";
import { type Api, addInstance, openApi, registerEc2 } from "./api.fixture.ts";

const SCOPE = { accountId: "111111111111", region: "us-east-1" };
const HOUR_MS = 3_600_000;

/** A task as a service's loop would have started it. Returns its ARN. */
async function startServiceTask(api: Api, changes: Partial<Task> = {}): Promise<string> {
  const started = await api.call("RunTask", { cluster: "demo", taskDefinition: "ec2" });
  const arn = started.tasks?.[0]?.taskArn ?? "";
  const key = taskKey(SCOPE, "demo", arn.split("/").at(-1) ?? "");
  const task = { ...api.world.value<Task>(key), group: "service:web", ...changes };
  await api.world.put({ key, value: task });
  return arn;
}

async function openDemo(): Promise<Api> {
  const api = await openApi();
  await addInstance(api, "one");
  await registerEc2(api);
  return api;
}

test("a service's task is protected for two hours, or as long as is asked; asking again begins anew", async () => {
  await using api = await openDemo();
  const arn = await startServiceTask(api);
  const on = { cluster: "demo", tasks: [arn], protectionEnabled: true };
  const until = (ms: number): Date => new Date(api.world.clock.now() + ms);
  const first = await api.call("UpdateTaskProtection", on);
  assert.deepEqual(first, {
    protectedTasks: [{ taskArn: arn, protectionEnabled: true, expirationDate: until(2 * HOUR_MS) }],
    failures: [],
  });
  await api.world.clock.advance(HOUR_MS);
  const again = await api.call("UpdateTaskProtection", { ...on, expiresInMinutes: 2880 });
  assert.deepEqual(again.protectedTasks?.[0]?.expirationDate, until(48 * HOUR_MS));
  const read = await api.call("GetTaskProtection", { cluster: "demo", tasks: [arn] });
  assert.deepEqual(read, again);
});

test("protection ends by its time, by false, and with the task", async () => {
  await using api = await openDemo();
  const arn = await startServiceTask(api);
  const tasks = [arn];
  const read = () => api.call("GetTaskProtection", { cluster: "demo", tasks });
  const protect = (protectionEnabled: boolean) =>
    api.call("UpdateTaskProtection", {
      cluster: "demo",
      tasks,
      protectionEnabled,
      ...(protectionEnabled && { expiresInMinutes: 1 }),
    });
  const none = { protectedTasks: [{ taskArn: arn, protectionEnabled: false }], failures: [] };
  assert.deepEqual(await read(), none);
  await protect(true);
  await api.world.clock.advance(59_999);
  assert.equal((await read()).protectedTasks?.[0]?.protectionEnabled, true);
  await api.world.clock.advance(1);
  assert.deepEqual(await read(), none);
  await protect(true);
  assert.deepEqual(await protect(false), none);
  await protect(true);
  await api.call("StopTask", { cluster: "demo", task: arn });
  assert.equal((await read()).failures?.[0]?.reason, "TASK_NOT_VALID");
});

test("what is not there is MISSING, what is not a service's is not valid", async () => {
  await using api = await openDemo();
  const standalone = await startServiceTask(api, { group: "family:ec2" });
  const absent = standalone.replace(/[0-9a-f]{32}$/, "0".repeat(32));
  const expected = {
    protectedTasks: [],
    failures: [
      {
        arn: standalone,
        reason: "TASK_NOT_VALID",
        detail: "the task is not part of a service",
      },
      { arn: absent, reason: "MISSING" },
    ],
  };
  const tasks = [standalone, absent];
  const update = { cluster: "demo", tasks, protectionEnabled: true };
  assert.deepEqual(await api.call("UpdateTaskProtection", update), expected);
  assert.deepEqual(await api.call("GetTaskProtection", { cluster: "demo", tasks }), expected);
});

test("requests that make no sense are refused by name", async () => {
  await using api = await openDemo();
  const arn = await startServiceTask(api);
  const update = (more: object) =>
    api.call("UpdateTaskProtection", {
      cluster: "demo",
      tasks: [arn],
      protectionEnabled: true,
      ...more,
    });
  const wrong = (message: RegExp) => ({ name: "InvalidParameterException", message });
  await assert.rejects(update({ expiresInMinutes: 0 }), wrong(/between 1 and 2880, not 0/));
  await assert.rejects(update({ expiresInMinutes: 2881 }), wrong(/not 2881/));
  await assert.rejects(update({ tasks: [] }), wrong(/Tasks cannot be empty/));
  await assert.rejects(update({ tasks: Array(11).fill(arn) }), wrong(/more than 10/));
  await assert.rejects(update({ cluster: "none" }), { name: "ClusterNotFoundException" });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { taskKey } from "../model/keys.ts";
import type { Task } from "../model/task.ts";
import {
  type Api,
  addFleetInstance,
  addInstance,
  openApi,
  registerEc2,
  registerFargate,
} from "./api.fixture.ts";

const SCOPE = { accountId: "111111111111", region: "us-east-1" };

async function startEc2(api: Api, startedBy?: string): Promise<string> {
  const { tasks } = await api.call("RunTask", {
    cluster: "demo",
    taskDefinition: "ec2",
    startedBy,
  });
  return tasks?.[0]?.taskArn?.split("/").at(-1) ?? "";
}

async function change(api: Api, id: string, changes: Partial<Task>): Promise<void> {
  const key = taskKey(SCOPE, "demo", id);
  await api.world.put({ key, value: { ...api.world.value<Task>(key), ...changes } });
}

test("StopTask records the caller's reason once, and deletes the tags", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  await registerEc2(api);
  const { tasks } = await api.call("RunTask", {
    cluster: "demo",
    taskDefinition: "ec2",
    tags: [{ key: "a", value: "b" }],
  });
  const task = tasks?.[0]?.taskArn ?? "";
  const stopped = await api.call("StopTask", { cluster: "demo", task, reason: "enough" });
  assert.equal(stopped.task?.desiredStatus, "STOPPED");
  assert.equal(stopped.task?.lastStatus, "PENDING");
  assert.equal(stopped.task?.stopCode, "UserInitiated");
  assert.equal(stopped.task?.stoppedReason, "enough");
  assert.deepEqual(stopped.task?.tags, []);
  const again = await api.call("StopTask", { cluster: "demo", task, reason: "more" });
  assert.deepEqual(again, stopped);
  await assert.rejects(api.call("StopTask", { cluster: "demo", task: "none" }), {
    name: "InvalidParameterException",
    message: "The referenced task was not found.",
  });
});

test("DescribeTasks shows the interface, its address in every container, and MISSING", async () => {
  await using api = await openApi();
  await addFleetInstance(api, "hidden");
  await registerFargate(api);
  const { tasks } = await api.call("RunTask", {
    cluster: "demo",
    taskDefinition: "fargate",
    launchType: "FARGATE",
    networkConfiguration: { awsvpcConfiguration: { subnets: ["subnet-1"] } },
  });
  const id = tasks?.[0]?.taskArn?.split("/").at(-1) ?? "";
  const attachmentId = tasks?.[0]?.attachments?.[0]?.id ?? "";
  await change(api, id, {
    lastStatus: "RUNNING",
    connectivityAt: 5,
    attachment: {
      id: attachmentId,
      status: "ATTACHED",
      subnetId: "subnet-1",
      networkInterfaceId: "eni-1",
      macAddress: "02:00:00:00:00:01",
      privateDnsName: "ip-172-31-0-4.ec2.internal",
      privateIpv4Address: "172.31.0.4",
    },
  });
  const foreign = `arn:aws:ecs:us-east-1:222222222222:task/demo/${id}`;
  const answer = await api.call("DescribeTasks", {
    cluster: "demo",
    tasks: [id, "none", foreign],
  });
  const [task] = answer.tasks ?? [];
  assert.equal(task?.connectivity, "CONNECTED");
  assert.equal(task?.connectivityAt?.getTime(), 5);
  assert.equal(task?.attachments?.[0]?.status, "ATTACHED");
  assert.deepEqual(
    task?.attachments?.[0]?.details?.map(({ name }) => name),
    ["subnetId", "networkInterfaceId", "macAddress", "privateDnsName", "privateIPv4Address"],
  );
  for (const container of task?.containers ?? []) {
    assert.deepEqual(container.networkInterfaces, [
      { attachmentId, privateIpv4Address: "172.31.0.4" },
    ]);
    assert.equal(container.healthStatus, "UNKNOWN");
  }
  assert.deepEqual(answer.failures, [
    { arn: "arn:aws:ecs:us-east-1:111111111111:task/demo/none", reason: "MISSING" },
    { arn: foreign, reason: "MISSING" },
  ]);
});

test("an ARN of another of the caller's clusters is refused, whatever is asked of it", async () => {
  await using api = await openApi();
  const arn = (type: string): string => `arn:aws:ecs:us-east-1:111111111111:${type}/other/1`;
  const refused = {
    name: "InvalidParameterException",
    message: "Invalid identifier: Identifier is for cluster other. Your cluster is demo",
  };
  const cluster = "demo";
  const [task, containerInstance] = [arn("task"), arn("container-instance")];
  await assert.rejects(api.call("DescribeTasks", { cluster, tasks: [task] }), refused);
  await assert.rejects(api.call("StopTask", { cluster, task }), refused);
  await assert.rejects(api.call("ListTasks", { cluster, containerInstance }), refused);
  const containerInstances = [containerInstance];
  await assert.rejects(
    api.call("DescribeContainerInstances", { cluster, containerInstances }),
    refused,
  );
});

test("DescribeTasks takes 1 to 100 tasks", async () => {
  await using api = await openApi();
  await assert.rejects(api.call("DescribeTasks", { cluster: "demo", tasks: [] }), {
    message: "Tasks cannot be empty.",
  });
  const tasks = Array.from({ length: 101 }, (_, number) => `t${number}`);
  await assert.rejects(api.call("DescribeTasks", { cluster: "demo", tasks }), {
    message: "Tasks cannot have more than 100 elements",
  });
});

test("ListTasks finds by status, family, starter, instance and launch type", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  await registerEc2(api);
  const mine = await startEc2(api, "me");
  const stopped = await startEc2(api);
  await api.call("StopTask", { cluster: "demo", task: stopped });
  const list = async (input: object): Promise<(string | undefined)[]> =>
    ((await api.call("ListTasks", { cluster: "demo", ...input })).taskArns ?? []).map((arn) =>
      arn.split("/").at(-1),
    );
  assert.deepEqual(await list({}), [mine]);
  assert.deepEqual(await list({ desiredStatus: "STOPPED" }), [stopped]);
  assert.deepEqual(await list({ desiredStatus: "PENDING" }), []);
  assert.deepEqual(await list({ startedBy: "me" }), [mine]);
  assert.deepEqual(await list({ family: "ec2" }), [mine]);
  assert.deepEqual(await list({ family: "ec" }), []);
  assert.deepEqual(await list({ containerInstance: "one" }), [mine]);
  await assert.rejects(list({ containerInstance: "two" }), {
    name: "InvalidParameterException",
    message: "Referenced container instance two not found.",
  });
  assert.deepEqual(await list({ launchType: "FARGATE" }), []);
  await assert.rejects(list({ serviceName: "web" }), { name: "ServiceNotFoundException" });
  await assert.rejects(list({ startedBy: "me", family: "ec2" }), {
    name: "InvalidParameterException",
  });
});

test("ListTasks goes on behind the last task shown, also when that is gone", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  await registerEc2(api);
  const ids: string[] = [];
  for (let count = 0; count < 4; count++) ids.push(await startEc2(api));
  ids.sort();
  const [first = "", second = "", ...others] = ids;
  const page = async (input: object): Promise<[(string | undefined)[], string | undefined]> => {
    const { taskArns, nextToken } = await api.call("ListTasks", { cluster: "demo", ...input });
    return [(taskArns ?? []).map((arn) => arn.split("/").at(-1)), nextToken];
  };
  const [shown, token] = await page({ maxResults: 2 });
  assert.deepEqual(shown, [first, second]);
  await change(api, second, { desiredStatus: "STOPPED", lastStatus: "STOPPED" });
  assert.deepEqual(await page({ maxResults: 2, nextToken: token }), [others, undefined]);
  assert.deepEqual(await page({ maxResults: 3 }), [[first, ...others], undefined]);
  assert.deepEqual(await page({ desiredStatus: "STOPPED" }), [[second], undefined]);
  await assert.rejects(page({ maxResults: 101 }), { name: "InvalidParameterException" });
  await assert.rejects(page({ nextToken: "x" }), { message: "Invalid token." });
});

test("DescribeTasks shows the health of containers and task", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  await registerEc2(api);
  const id = await startEc2(api);
  const healthOf = async () => {
    const { tasks } = await api.call("DescribeTasks", { cluster: "demo", tasks: [id] });
    return [tasks?.[0]?.healthStatus, tasks?.[0]?.containers?.[0]?.healthStatus];
  };
  assert.deepEqual(await healthOf(), ["UNKNOWN", "UNKNOWN"]);
  const { containers } = api.world.value<Task>(taskKey(SCOPE, "demo", id));
  const healthy = containers.map((container) => ({
    ...container,
    healthStatus: "HEALTHY" as const,
  }));
  await change(api, id, { containers: healthy });
  assert.deepEqual(await healthOf(), ["HEALTHY", "HEALTHY"]);
});

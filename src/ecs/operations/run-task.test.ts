import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunTaskRequest } from "@aws-sdk/client-ecs";
import { instanceKey, taskKey } from "../model/keys.ts";
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
const AWSVPC = { networkConfiguration: { awsvpcConfiguration: { subnets: ["subnet-1"] } } };
const EC2: RunTaskRequest = { cluster: "demo", taskDefinition: "ec2" };
const FARGATE: RunTaskRequest = {
  cluster: "demo",
  taskDefinition: "fargate",
  launchType: "FARGATE",
  ...AWSVPC,
};

async function rejects(api: Api, input: RunTaskRequest, name: string, message: string | RegExp) {
  await assert.rejects(api.call("RunTask", input), { name, message });
}

test("RunTask on EC2 answers with a PENDING task on the instance that has room", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  await registerEc2(api);
  const { tasks, failures } = await api.call("RunTask", {
    ...EC2,
    startedBy: "me",
    tags: [{ key: "a", value: "b" }],
  });
  assert.deepEqual(failures, []);
  const [task] = tasks ?? [];
  assert.match(
    task?.taskArn ?? "",
    /^arn:aws:ecs:us-east-1:111111111111:task\/demo\/[0-9a-f]{32}$/,
  );
  assert.match(task?.containerInstanceArn ?? "", /container-instance\/demo\/one$/);
  assert.equal(task?.lastStatus, "PENDING");
  assert.equal(task?.desiredStatus, "RUNNING");
  assert.equal(task?.connectivity, "CONNECTED");
  assert.equal(task?.group, "family:ec2");
  assert.equal(task?.startedBy, "me");
  assert.equal(task?.cpu, "1024");
  assert.equal(task?.memory, "1024");
  assert.equal(task?.version, 1);
  assert.deepEqual(task?.attachments, []);
  assert.deepEqual(task?.attributes, [{ name: "ecs.cpu-architecture", value: "x86_64" }]);
  assert.deepEqual(task?.tags, [{ key: "a", value: "b" }]);
  assert.equal(task?.createdAt?.getTime(), api.world.clock.now());
});

test("RunTask on FARGATE shows platform and interface, and never the machine", async () => {
  await using api = await openApi();
  await addFleetInstance(api, "hidden");
  await registerFargate(api);
  const { tasks, failures } = await api.call("RunTask", FARGATE);
  assert.deepEqual(failures, []);
  const [task] = tasks ?? [];
  assert.equal(task?.lastStatus, "PROVISIONING");
  assert.equal(task?.launchType, "FARGATE");
  assert.equal(task?.containerInstanceArn, undefined);
  assert.equal(task?.platformVersion, "1.4.0");
  assert.equal(task?.platformFamily, "Linux");
  assert.equal(task?.availabilityZone, "us-east-1a");
  assert.deepEqual(task?.ephemeralStorage, { sizeInGiB: 20 });
  assert.deepEqual(task?.overrides, {
    containerOverrides: [{ name: "web" }, { name: "side" }],
    inferenceAcceleratorOverrides: [],
  });
  const [attachment] = task?.attachments ?? [];
  assert.equal(attachment?.type, "ElasticNetworkInterface");
  assert.equal(attachment?.status, "PRECREATED");
  assert.deepEqual(attachment?.details, [{ name: "subnetId", value: "subnet-1" }]);
  assert.deepEqual(task?.containers?.[0]?.networkBindings, []);
  const { containerInstanceArns } = await api.call("ListContainerInstances", { cluster: "demo" });
  assert.deepEqual(containerInstanceArns, []);
});

test("RunTask places what fits and says for each other task why not", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  await registerEc2(api);
  const { tasks, failures } = await api.call("RunTask", { ...EC2, count: 6 });
  assert.equal(tasks?.length, 4);
  const arn = "arn:aws:ecs:us-east-1:111111111111:container-instance/demo/one";
  assert.deepEqual(
    failures?.map((failure) => [failure.arn, failure.reason]),
    [
      [arn, "RESOURCE:CPU"],
      [arn, "RESOURCE:CPU"],
    ],
  );
});

test("RunTask on FARGATE fails once for each task, without naming a machine", async () => {
  await using api = await openApi();
  await registerFargate(api);
  const none = await api.call("RunTask", FARGATE);
  assert.deepEqual(none.failures, [
    { arn: "", reason: "RESOURCE:FARGATE", detail: "no machine offers FARGATE capacity" },
  ]);
  await addFleetInstance(api, "gone", { agentConnected: false });
  await addFleetInstance(api, "full", {
    ec2InstanceId: "i-2",
    registered: { cpuUnits: 2048, memoryMiB: 2048, ports: [], portsUdp: [] },
  });
  const { tasks, failures } = await api.call("RunTask", { ...FARGATE, count: 3 });
  assert.equal(tasks?.length, 1);
  assert.deepEqual(
    failures?.map(({ arn, reason }) => [arn, reason]),
    [
      ["", "RESOURCE:MEMORY"],
      ["", "RESOURCE:MEMORY"],
    ],
  );
});

test("EC2 and FARGATE tasks share one machine, and give back what they had when they stop", async () => {
  await using api = await openApi();
  await addInstance(api, "users", { ec2InstanceId: "i-shared" });
  await addFleetInstance(api, "fleets", { ec2InstanceId: "i-shared" });
  await registerEc2(api);
  await registerFargate(api);
  const fargate = await api.call("RunTask", { ...FARGATE, count: 3 });
  assert.equal(fargate.tasks?.length, 3);
  const { tasks, failures } = await api.call("RunTask", { ...EC2, count: 2 });
  assert.equal(tasks?.length, 1);
  assert.equal(failures?.[0]?.reason, "RESOURCE:CPU");
  const { containerInstances } = await api.call("DescribeContainerInstances", {
    cluster: "demo",
    containerInstances: ["users"],
  });
  const remaining = containerInstances?.[0]?.remainingResources;
  assert.equal(remaining?.find(({ name }) => name === "CPU")?.integerValue, 0);

  const id = fargate.tasks?.[0]?.taskArn?.split("/").at(-1) ?? "";
  const key = taskKey(SCOPE, "demo", id);
  await api.world.put({ key, value: { ...api.world.value<Task>(key), lastStatus: "STOPPED" } });
  const again = await api.call("RunTask", EC2);
  assert.equal(again.tasks?.length, 1);
});

test("a hundred concurrent RunTasks never oversubscribe a machine", async () => {
  await using api = await openApi();
  await addInstance(api, "one", { ec2InstanceId: "i-1" });
  await addInstance(api, "two", { ec2InstanceId: "i-2" });
  await registerEc2(api);
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => api.call("RunTask", { ...EC2, count: 1 })),
  );
  const placed = answers.flatMap(({ tasks }) => tasks ?? []);
  assert.equal(placed.length, 8);
  for (const id of ["one", "two"]) {
    const key = instanceKey(SCOPE, "demo", id);
    assert.equal(api.world.cache.lookup("liveTasksByInstance", key).length, 4);
  }
  const failed = answers.filter(({ failures }) => failures?.length === 2);
  assert.equal(failed.length, 92);
});

test("two servers that place at the same time never oversubscribe a machine", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  await registerEc2(api);
  const servers = [api, api.as("111111111111"), api.as("111111111111")];
  const answers = await Promise.all(
    servers.map((server) => server.call("RunTask", { ...EC2, count: 3 })),
  );
  assert.equal(answers.flatMap(({ tasks }) => tasks ?? []).length, 4);
});

test("the same client token brings the same tasks, and with other parameters a conflict", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  await registerEc2(api);
  const input = { ...EC2, count: 2, clientToken: "token" };
  const [one, two] = await Promise.all([api.call("RunTask", input), api.call("RunTask", input)]);
  const arns = (answer: typeof one) => answer?.tasks?.map(({ taskArn }) => taskArn).toSorted();
  assert.equal(one?.tasks?.length, 2);
  assert.deepEqual(arns(one), arns(two));
  const listed = await api.call("ListTasks", { cluster: "demo" });
  assert.equal(listed.taskArns?.length, 2);
  await assert.rejects(api.call("RunTask", { ...input, count: 1 }), (error: Error) => {
    assert.equal(error.name, "ConflictException");
    const { members } = error as unknown as { members: { resourceIds: string[] } };
    assert.deepEqual(members.resourceIds.toSorted(), arns(one));
    return true;
  });
});

test("a client token brings the first answer, whatever has become of definition and cluster since", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  await registerEc2(api);
  const input = { ...EC2, clientToken: "token" };
  const { tasks: [first] = [] } = await api.call("RunTask", input);
  await api.call("DeregisterTaskDefinition", { taskDefinition: "ec2:1" });
  const { tasks } = await api.call("RunTask", input);
  assert.deepEqual(tasks, [first]);
  await assert.rejects(api.call("RunTask", { ...input, clientToken: "other" }), {
    name: "ClientException",
  });

  const key = taskKey(SCOPE, "demo", first?.taskArn?.split("/").at(-1) ?? "");
  const task = api.world.value<Task>(key);
  const stopped = { ...task, desiredStatus: "STOPPED", lastStatus: "STOPPED" };
  await api.world.put({ key, value: { ...stopped, stoppedAt: api.world.clock.now() } });
  await api.call("DeregisterContainerInstance", { cluster: "demo", containerInstance: "one" });
  await api.call("DeleteCluster", { cluster: "demo" });
  const { taskArn } = first ?? {};
  const answer = await api.call("RunTask", input);
  assert.deepEqual(answer.tasks, [{ taskArn, lastStatus: "STOPPED", desiredStatus: "STOPPED" }]);
  await assert.rejects(api.call("RunTask", { ...input, count: 7 }), { name: "ConflictException" });
});

test("a client token is forgotten after a day", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  await registerEc2(api);
  const input = { ...EC2, clientToken: "token" };
  const before = await api.call("RunTask", input);
  await api.world.clock.advance(24 * 3_600_000);
  const after = await api.call("RunTask", input);
  assert.notEqual(before.tasks?.[0]?.taskArn, after.tasks?.[0]?.taskArn);
});

test("overrides change a task's size and show with their containers", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  await registerEc2(api);
  const { tasks } = await api.call("RunTask", {
    ...EC2,
    overrides: {
      taskRoleArn: "arn:aws:iam::111111111111:role/t",
      containerOverrides: [
        { name: "web", cpu: 512, command: ["sh"], environment: [{ name: "A", value: "1" }] },
      ],
    },
  });
  assert.equal(tasks?.[0]?.cpu, "512");
  assert.equal(tasks?.[0]?.containers?.[0]?.cpu, "512");
  assert.deepEqual(tasks?.[0]?.overrides, {
    taskRoleArn: "arn:aws:iam::111111111111:role/t",
    containerOverrides: [
      { name: "web", cpu: 512, command: ["sh"], environment: [{ name: "A", value: "1" }] },
    ],
    inferenceAcceleratorOverrides: [],
  });
});

test("a feature that the agent does not offer is refused as ATTRIBUTE, not ignored", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  await api.call("RegisterTaskDefinition", {
    family: "role",
    networkMode: "host",
    taskRoleArn: "arn:aws:iam::111111111111:role/t",
    containerDefinitions: [{ name: "web", image: "hello", memory: 64 }],
  });
  const { failures } = await api.call("RunTask", { ...EC2, taskDefinition: "role" });
  assert.equal(failures?.[0]?.reason, "ATTRIBUTE");
  assert.match(failures?.[0]?.detail ?? "", /task-iam-role-network-host/);
});

test("constraints and strategies of the request and the definition are obeyed", async () => {
  await using api = await openApi();
  for (const number of ["1", "2"]) {
    await addInstance(api, `instance-${number}`, {
      ec2InstanceId: `i-${number}`,
      attributes: [{ name: "stack", value: number }],
    });
  }
  await registerEc2(api);
  const { tasks } = await api.call("RunTask", {
    ...EC2,
    placementConstraints: [{ type: "memberOf", expression: "attribute:stack == 2" }],
  });
  assert.match(tasks?.[0]?.containerInstanceArn ?? "", /instance-2$/);
  const distinct = await api.call("RunTask", {
    ...EC2,
    count: 2,
    placementConstraints: [{ type: "distinctInstance" }],
  });
  assert.match(distinct.tasks?.[0]?.containerInstanceArn ?? "", /instance-1$/);
  assert.equal(distinct.failures?.length, 2);
});

test("RunTask refuses what makes no sense, in ECS's words", async () => {
  await using api = await openApi();
  await registerEc2(api);
  await registerFargate(api);
  const wrong = "InvalidParameterException";
  await rejects(api, EC2, wrong, "No Container Instances were found in your cluster.");
  await addInstance(api, "one");
  await rejects(api, { ...EC2, cluster: "no" }, "ClusterNotFoundException", "Cluster not found.");
  await rejects(
    api,
    { ...EC2, taskDefinition: "no" },
    "ClientException",
    "TaskDefinition not found.",
  );
  await rejects(api, { ...EC2, count: 11 }, wrong, /between 1 and 10/);
  await rejects(
    api,
    { ...EC2, launchType: "FARGATE" },
    wrong,
    "Task definition does not support launch_type FARGATE.",
  );
  await rejects(
    api,
    { ...EC2, launchType: "EC2", capacityProviderStrategy: [{ capacityProvider: "FARGATE" }] },
    wrong,
    "Specify either Launch Type or Capacity Provider Strategy, but not both.",
  );
  await rejects(
    api,
    { ...FARGATE, networkConfiguration: undefined },
    wrong,
    "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
  );
  await rejects(
    api,
    { ...EC2, ...AWSVPC },
    wrong,
    "Network Configuration is not valid for the given networkMode of this task definition.",
  );
  const subnets = (...ids: string[]) => ({
    networkConfiguration: { awsvpcConfiguration: { subnets: ids } },
  });
  await rejects(api, { ...FARGATE, ...subnets() }, wrong, "subnets can not be empty.");
  await rejects(api, { ...FARGATE, ...subnets("subnet-9") }, wrong, /InvalidSubnetID\.NotFound/);
  await rejects(
    api,
    { ...EC2, overrides: { containerOverrides: [{ name: "db" }] } },
    wrong,
    "Override for container named db is not a container in the TaskDefinition.",
  );
  await rejects(
    api,
    { ...FARGATE, overrides: { memory: "768" } },
    "ClientException",
    /^No Fargate configuration exists for given values: 1024 CPU, 768 memory\./,
  );
  await rejects(api, { ...FARGATE, platformVersion: "9" }, "PlatformUnknownException", /9/);
  await rejects(api, { ...EC2, group: "service:web" }, wrong, /service:/);
  await api.call("DeregisterTaskDefinition", { taskDefinition: "ec2:1" });
  await rejects(
    api,
    { ...EC2, taskDefinition: "ec2:1" },
    "ClientException",
    "TaskDefinition is inactive",
  );
});

test("StartTask starts on the instances named, and says why not on the others", async () => {
  await using api = await openApi();
  await addInstance(api, "one", { ec2InstanceId: "i-1" });
  await addInstance(api, "two", { ec2InstanceId: "i-2", agentConnected: false });
  await addInstance(api, "old", { ec2InstanceId: "i-3", status: "INACTIVE" });
  await registerEc2(api);
  const { tasks, failures } = await api.call("StartTask", {
    cluster: "demo",
    taskDefinition: "ec2",
    containerInstances: ["one", "two", "old", "none"],
  });
  assert.deepEqual(
    tasks?.map(({ containerInstanceArn }) => containerInstanceArn?.split("/").at(-1)),
    ["one"],
  );
  assert.deepEqual(
    failures?.map(({ reason }) => reason),
    ["AGENT", "INACTIVE", "MISSING"],
  );
});

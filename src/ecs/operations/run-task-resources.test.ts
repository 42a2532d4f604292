import assert from "node:assert/strict";
import { test } from "node:test";
import type { Instance } from "../model/instance.ts";
import { taskDefinitionKey, taskKey } from "../model/keys.ts";
import type { Task } from "../model/task.ts";
import type { TaskDefinition } from "../model/task-definition.ts";
import {
  type Api,
  addFleetInstance,
  addInstance,
  openApi,
  registerFargate,
} from "./api.fixture.ts";
import { toPayloadTask } from "./payload.ts";

const SCOPE = { accountId: "111111111111", region: "us-east-1" };
const REGISTERED: Instance["registered"] = {
  cpuUnits: 4096,
  memoryMiB: 8192,
  ports: [22],
  portsUdp: [],
};

test("a task's containers have GPUs of their own, and the machine has fewer left", async () => {
  await using api = await openApi();
  await registerGpu(api);
  const registered = { ...REGISTERED, gpus: ["gpu-a", "gpu-b", "gpu-c"] };
  await addInstance(api, "one", { registered, attributes: ATTRIBUTES });
  const { tasks = [] } = await api.call("RunTask", { cluster: "demo", taskDefinition: "gpu" });
  const gpusOf = (task: (typeof tasks)[number] | undefined): unknown[] =>
    (task?.containers ?? []).map(({ name, gpuIds }) => [name, gpuIds]);
  assert.deepEqual(gpusOf(tasks[0]), [
    ["train", ["gpu-a", "gpu-b"]],
    ["side", undefined],
  ]);
  const { containerInstances } = await api.call("DescribeContainerInstances", {
    cluster: "demo",
    containerInstances: ["one"],
  });
  const gpus = (list: "registeredResources" | "remainingResources"): unknown =>
    containerInstances?.[0]?.[list]?.find(({ name }) => name === "GPU")?.stringSetValue;
  assert.deepEqual(gpus("registeredResources"), ["gpu-a", "gpu-b", "gpu-c"]);
  assert.deepEqual(gpus("remainingResources"), ["gpu-c"]);

  const { failures } = await api.call("RunTask", { cluster: "demo", taskDefinition: "gpu" });
  assert.deepEqual(
    failures?.map(({ reason, detail }) => [reason, detail]),
    [["RESOURCE:GPU", "2 GPUs exceed the remaining 1 (none of 1 instance: 1 RESOURCE:GPU)"]],
  );
  const overridden = await api.call("RunTask", {
    cluster: "demo",
    taskDefinition: "gpu",
    overrides: {
      containerOverrides: [{ name: "train", resourceRequirements: [{ type: "GPU", value: "1" }] }],
    },
  });
  assert.deepEqual(gpusOf(overridden.tasks?.[0])[0], ["train", ["gpu-c"]]);
  const payload = payloadOf(api, overridden.tasks?.[0]?.taskArn ?? "");
  assert.deepEqual(payload.associations, [
    {
      name: "gpu-c",
      type: "gpu",
      containers: ["train"],
      content: { encoding: "identity", value: "" },
    },
  ]);
});

test("overriding environment files replaces the definition's, and asks for an agent that reads them", async () => {
  await using api = await openApi();
  await registerGpu(api);
  await addInstance(api, "one", {
    registered: { ...REGISTERED, gpus: ["gpu-a", "gpu-b"] },
    attributes: ATTRIBUTES,
  });
  const run = (value: string): ReturnType<typeof api.call<"RunTask">> =>
    api.call("RunTask", {
      cluster: "demo",
      taskDefinition: "gpu",
      overrides: {
        containerOverrides: [{ name: "side", environmentFiles: [{ type: "s3", value }] }],
      },
    });
  await assert.rejects(run("https://bucket/file.env"), { code: "InvalidParameterException" });
  const { failures } = await run("arn:aws:s3:::bucket/file.env");
  assert.equal(failures?.[0]?.reason, "ATTRIBUTE");
  await addInstance(api, "two", {
    ec2InstanceId: "i-2",
    registered: { ...REGISTERED, gpus: ["gpu-a", "gpu-b"] },
    attributes: [...ATTRIBUTES, { name: "ecs.capability.env-files.s3" }],
  });
  const { tasks } = await run("arn:aws:s3:::bucket/file.env");
  const { containers } = payloadOf(api, tasks?.[0]?.taskArn ?? "");
  assert.deepEqual(containers[1]?.environmentFiles, [
    { value: "arn:aws:s3:::bucket/file.env", type: "s3" },
  ]);
});

test("EXTERNAL tasks go to instances that say they are external, and to no others", async () => {
  await using api = await openApi();
  await api.call("RegisterTaskDefinition", {
    family: "edge",
    containerDefinitions: [{ name: "web", image: "hello", memory: 64 }],
  });
  const run = (): ReturnType<typeof api.call<"RunTask">> =>
    api.call("RunTask", { cluster: "demo", taskDefinition: "edge", launchType: "EXTERNAL" });
  await assert.rejects(run(), { message: "No Container Instances were found in your cluster." });
  await addInstance(api, "inside", { attributes: ATTRIBUTES });
  const { failures } = await run();
  assert.equal(failures?.[0]?.reason, "ATTRIBUTE");
  await addInstance(api, "outside", {
    ec2InstanceId: "outside",
    attributes: [...ATTRIBUTES.slice(1), { name: "ecs.capability.external" }],
  });
  const { tasks } = await run();
  const [task] = tasks ?? [];
  assert.deepEqual([task?.launchType, task?.availabilityZone], ["EXTERNAL", undefined]);
  assert.match(task?.containerInstanceArn ?? "", /\/outside$/);
  assert.equal(payloadOf(api, task?.taskArn ?? "").launchType, "EXTERNAL");
  const { clusters } = await api.call("DescribeClusters", {
    clusters: ["demo"],
    include: ["STATISTICS"],
  });
  const pending = clusters?.[0]?.statistics?.find(
    ({ name }) => name === "pendingExternalTasksCount",
  );
  assert.equal(pending?.value, "1");
});

test("a task on an instance outside of EC2 is EXTERNAL, whoever chose the instance", async () => {
  await using api = await openApi();
  await api.call("RegisterTaskDefinition", {
    family: "edge",
    containerDefinitions: [{ name: "web", image: "hello", memory: 64 }],
  });
  await addInstance(api, "outside", {
    attributes: [...ATTRIBUTES.slice(1), { name: "ecs.capability.external" }],
  });
  const given = { cluster: "demo", taskDefinition: "edge" };
  const answers = [
    await api.call("StartTask", { ...given, containerInstances: ["outside"] }),
    await api.call("RunTask", given),
    await api.call("RunTask", { ...given, launchType: "EXTERNAL" }),
  ];
  const tasks = answers.flatMap((answer) => answer.tasks ?? []);
  assert.deepEqual(
    tasks.map(({ launchType }) => launchType),
    ["EXTERNAL", "EXTERNAL", "EXTERNAL"],
  );
  const list = async (launchType: "EC2" | "EXTERNAL") =>
    (await api.call("ListTasks", { cluster: "demo", launchType })).taskArns?.length;
  assert.deepEqual([await list("EC2"), await list("EXTERNAL")], [0, 3]);
});

test("an EXTERNAL task has no interface of its own", async () => {
  await using api = await openApi();
  await registerFargate(api);
  await assert.rejects(
    api.call("RunTask", { cluster: "demo", taskDefinition: "fargate", launchType: "EXTERNAL" }),
    { message: "Task definition does not support launch_type EXTERNAL." },
  );
});

test("a FARGATE refusal names no machine and says how it went on all of them", async () => {
  await using api = await openApi();
  await registerFargate(api);
  await addFleetInstance(api, "small", {
    ec2InstanceId: "i-1",
    registered: { ...REGISTERED, memoryMiB: 512 },
  });
  await addFleetInstance(api, "away", { ec2InstanceId: "i-2", agentConnected: false });
  const { failures } = await api.call("RunTask", {
    cluster: "demo",
    taskDefinition: "fargate",
    launchType: "FARGATE",
    networkConfiguration: { awsvpcConfiguration: { subnets: ["subnet-1"] } },
  });
  assert.deepEqual(failures, [
    {
      arn: "",
      reason: "RESOURCE:MEMORY",
      detail:
        "2048 MiB exceed the remaining 512 MiB (none of 2 instances: 1 AGENT, 1 RESOURCE:MEMORY)",
    },
  ]);
});

test("a task is in the security groups that were named, which must be in its VPC", async () => {
  await using api = await openApi();
  await registerFargate(api);
  await addFleetInstance(api, "one");
  const run = (securityGroups?: string[]): ReturnType<typeof api.call<"RunTask">> =>
    api.call("RunTask", {
      cluster: "demo",
      taskDefinition: "fargate",
      launchType: "FARGATE",
      networkConfiguration: {
        awsvpcConfiguration: { subnets: ["subnet-1"], ...(securityGroups && { securityGroups }) },
      },
    });
  for (const groups of [undefined, ["sg-1"]]) {
    const { tasks } = await run(groups);
    assert.deepEqual(taskOf(api, tasks?.[0]?.taskArn ?? "").placement.securityGroups, ["sg-1"]);
  }
  await assert.rejects(run(["sg-2"]), { message: /'sg-2' does not exist .*InvalidGroup.NotFound/ });
});

const ATTRIBUTES: Instance["attributes"] = [
  { name: "ecs.availability-zone", value: "us-east-1a" },
  { name: "com.amazonaws.ecs.capability.docker-remote-api.1.18" },
];

async function registerGpu(api: Api): Promise<void> {
  await api.call("RegisterTaskDefinition", {
    family: "gpu",
    networkMode: "host",
    containerDefinitions: [
      {
        name: "train",
        image: "hello",
        memory: 64,
        resourceRequirements: [{ type: "GPU", value: "2" }],
      },
      { name: "side", image: "hello", memory: 64 },
    ],
  });
}

function taskOf(api: Api, arn: string): Task {
  return api.world.value<Task>(taskKey(SCOPE, "demo", arn.split("/").at(-1) ?? ""));
}

function payloadOf(api: Api, arn: string): ReturnType<typeof toPayloadTask> {
  const task = taskOf(api, arn);
  const key = taskDefinitionKey(SCOPE, task.family, task.revision);
  return toPayloadTask({ task, definition: api.world.value<TaskDefinition>(key) });
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { instanceKey } from "../model/keys.ts";
import { addInstance, openApi, registerEc2 } from "./api.fixture.ts";

test("DescribeContainerInstances shows what is registered, what is left, and MISSING", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  await registerEc2(api);
  await api.call("RunTask", { cluster: "demo", taskDefinition: "ec2" });
  const { containerInstances, failures } = await api.call("DescribeContainerInstances", {
    cluster: "demo",
    containerInstances: ["one", "two"],
  });
  const [instance] = containerInstances ?? [];
  assert.deepEqual(
    instance?.registeredResources?.map(({ name, integerValue }) => [name, integerValue]),
    [
      ["CPU", 4096],
      ["MEMORY", 8192],
      ["PORTS", 0],
      ["PORTS_UDP", 0],
    ],
  );
  assert.deepEqual(
    instance?.remainingResources?.map(({ integerValue }) => integerValue),
    [3072, 7168, 0, 0],
  );
  assert.deepEqual(instance?.remainingResources?.[2]?.stringSetValue, ["22"]);
  assert.equal(instance?.pendingTasksCount, 1);
  assert.equal(instance?.runningTasksCount, 0);
  assert.deepEqual(failures, [
    {
      arn: "arn:aws:ecs:us-east-1:111111111111:container-instance/demo/two",
      reason: "MISSING",
    },
  ]);
  await assert.rejects(
    api.call("DescribeContainerInstances", { cluster: "demo", containerInstances: [] }),
    { name: "ClientException", message: "Container Instances cannot be empty." },
  );
});

test("ListContainerInstances goes by status and by query", async () => {
  await using api = await openApi();
  await addInstance(api, "one", { attributes: [{ name: "stack", value: "prod" }] });
  await addInstance(api, "two", { status: "DRAINING" });
  await addInstance(api, "old", { status: "INACTIVE" });
  const list = async (input: object): Promise<(string | undefined)[]> =>
    (
      (await api.call("ListContainerInstances", { cluster: "demo", ...input }))
        .containerInstanceArns ?? []
    ).map((arn) => arn.split("/").at(-1));
  assert.deepEqual(await list({}), ["one", "two"]);
  assert.deepEqual(await list({ status: "DRAINING" }), ["two"]);
  assert.deepEqual(await list({ filter: "attribute:stack == prod" }), ["one"]);
  await assert.rejects(list({ filter: "nonsense" }), { name: "InvalidParameterException" });
});

test("a DRAINING instance takes no tasks, and takes them again when ACTIVE", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  await registerEc2(api);
  const setState = (status: "ACTIVE" | "DRAINING" | "REGISTERING") =>
    api.call("UpdateContainerInstancesState", {
      cluster: "demo",
      containerInstances: ["one", "none"],
      status,
    });
  const drained = await setState("DRAINING");
  assert.equal(drained.containerInstances?.[0]?.status, "DRAINING");
  assert.equal(drained.failures?.[0]?.reason, "MISSING");
  const run = () => api.call("RunTask", { cluster: "demo", taskDefinition: "ec2" });
  assert.equal((await run()).failures?.[0]?.reason, "AGENT");
  await setState("ACTIVE");
  assert.equal((await run()).tasks?.length, 1);
  await assert.rejects(setState("REGISTERING"), {
    message: "Container instance status should be one of [ACTIVE, DRAINING]",
  });
});

test("DeregisterContainerInstance refuses while tasks run; by force their record ends", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  await registerEc2(api);
  const { tasks } = await api.call("RunTask", { cluster: "demo", taskDefinition: "ec2" });
  const input = { cluster: "demo", containerInstance: "one" };
  await assert.rejects(api.call("DeregisterContainerInstance", input), {
    name: "InvalidParameterException",
    message: "Found running tasks on the instance.",
  });
  const { containerInstance } = await api.call("DeregisterContainerInstance", {
    ...input,
    force: true,
  });
  assert.equal(containerInstance?.status, "INACTIVE");
  assert.equal(containerInstance?.agentConnected, false);
  const described = await api.call("DescribeTasks", {
    cluster: "demo",
    tasks: [tasks?.[0]?.taskArn ?? ""],
  });
  assert.equal(described.tasks?.[0]?.lastStatus, "STOPPED");
  assert.equal(
    described.tasks?.[0]?.stoppedReason,
    "Container instance deregistration forced by user",
  );
  const listed = await api.call("ListContainerInstances", { cluster: "demo" });
  assert.deepEqual(listed.containerInstanceArns, []);
});

test("the health of an instance is shown to who asks for it", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  const describe = async (include?: "CONTAINER_INSTANCE_HEALTH"[]) => {
    const described = await api.call("DescribeContainerInstances", {
      cluster: "demo",
      containerInstances: ["one"],
      include,
    });
    return described.containerInstances?.[0]?.healthStatus;
  };
  assert.equal(await describe(), undefined);
  assert.deepEqual(await describe(["CONTAINER_INSTANCE_HEALTH"]), {
    overallStatus: "INSUFFICIENT_DATA",
    details: [],
  });
  const now = api.world.clock.now() / 1000;
  const scope = { accountId: "111111111111", region: "us-east-1" };
  api.world.telemetry.instances.record(instanceKey(scope, "demo", "one"), [
    { type: "ContainerRuntime", status: "OK", lastUpdated: now, lastStatusChange: now },
  ]);
  assert.equal((await describe(["CONTAINER_INSTANCE_HEALTH"]))?.overallStatus, "OK");
});

test("no update is ever offered to an agent, and an agent of no known version is told apart", async () => {
  await using api = await openApi();
  await addInstance(api, "known", { versionInfo: { agentVersion: "1.105.1" } });
  await addInstance(api, "unknown", { ec2InstanceId: "i-2" });
  const update = (containerInstance: string): Promise<unknown> =>
    api.call("UpdateContainerAgent", { cluster: "demo", containerInstance });
  await assert.rejects(update("known"), {
    code: "NoUpdateAvailableException",
    message: "There is no update available for the container agent 1.105.1.",
  });
  await assert.rejects(update("unknown"), { code: "MissingVersionException" });
  await assert.rejects(update("nowhere"), { code: "InvalidParameterException" });
});

test("the version of an instance grows when it changes", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  const version = async (): Promise<number> => {
    const input = { cluster: "demo", containerInstances: ["one"] };
    const { containerInstances } = await api.call("DescribeContainerInstances", input);
    return containerInstances?.[0]?.version ?? 0;
  };
  const before = await version();
  assert.equal(await version(), before);
  const change = { cluster: "demo", containerInstances: ["one"], status: "DRAINING" as const };
  await api.call("UpdateContainerInstancesState", change);
  assert.ok((await version()) > before);
});

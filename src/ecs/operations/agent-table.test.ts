import assert from "node:assert/strict";
import { test } from "node:test";
import type {
  RegisterContainerInstanceCommandInput,
  SubmitTaskStateChangeCommandInput,
} from "@aws-sdk/client-ecs";
import type { Call, Principal } from "../../door/service.ts";
import { nodePrincipalArn } from "../../iam/model/access-key.ts";
import { runController } from "../../store/controller.ts";
import {
  openWorld,
  settle,
  type World,
  writeCluster,
  writeDefinition,
  writeNetwork,
  writeTask,
} from "../control/control.fixture.ts";
import { createInstancesController } from "../control/instances.ts";
import { type Instance, retire } from "../model/instance.ts";
import { instanceKey } from "../model/keys.ts";
import { buildTask } from "../model/task.fixture.ts";
import type { Task } from "../model/task.ts";
import type { RegistrationInput } from "./agent-registration.ts";
import { ecsAgentOperations } from "./agent-table.ts";

const MACHINE = "i-00000000000000001";
const NODE: Principal = {
  accountId: "111111111111",
  arn: nodePrincipalArn("111111111111", MACHINE),
  accessKeyId: "AKIANODE",
  kind: "node",
};
const ROOT: Principal = {
  accountId: "111111111111",
  arn: "arn:aws:iam::111111111111:root",
  accessKeyId: "AKIAROOT",
  kind: "root",
};
const TASK_ARN = "arn:aws:ecs:us-east-1:111111111111:task/demo/11111111111111111111111111111111";

test("an agent gets back its ARN and every attribute it sent, with those of its document", async () => {
  await using world = await openRegion();
  const { containerInstance } = await register(world);
  assert.match(
    containerInstance?.containerInstanceArn ?? "",
    /^arn:aws:ecs:us-east-1:111111111111:container-instance\/demo\/[0-9a-f]{32}$/,
  );
  assert.equal(containerInstance?.ec2InstanceId, MACHINE);
  assert.equal(containerInstance?.status, "ACTIVE");
  assert.deepEqual(containerInstance?.attributes, [
    { name: "ecs.os-type", value: "linux" },
    { name: "ecs.capability.task-eni" },
    { name: "ecs.availability-zone", value: "us-east-1a" },
    { name: "ecs.instance-type", value: "m5.large" },
  ]);
});

test("a machine on EC2 is in its zone's default subnet, unless its agent knows better", async () => {
  await using world = await openRegion();
  await world.put(...writeNetwork());
  const homeOf = async (input?: Partial<RegistrationInput>): Promise<unknown> => {
    const { attributes } = (await register(world, input)).containerInstance ?? {};
    const named = (wanted: string): unknown => attributes?.find(({ name }) => name === wanted);
    return [named("ecs.vpc-id"), named("ecs.subnet-id")];
  };
  const attributes = [
    { name: "ecs.vpc-id", value: "vpc-1" },
    { name: "ecs.subnet-id", value: "subnet-1" },
  ];
  assert.deepEqual(await homeOf(), attributes);
  const other = attributes.map(({ name, value }) => ({ name, value: `${value}0` }));
  assert.deepEqual(await homeOf({ attributes: other }), other);
  assert.deepEqual(await homeOf({ instanceIdentityDocument: "" }), [undefined, undefined]);
});

test("an agent that knows its ARN keeps it, and what it says anew replaces what it said", async () => {
  await using world = await openRegion();
  const first = await register(world);
  const { containerInstanceArn } = first.containerInstance ?? {};
  const again = await register(world, {
    containerInstanceArn,
    attributes: [{ name: "ecs.capability.secrets.ssm.environment-variables" }],
    totalResources: [
      { name: "CPU", integerValue: 8192 },
      { name: "MEMORY", integerValue: 16_384 },
    ],
  });
  assert.equal(again.containerInstance?.containerInstanceArn, containerInstanceArn);
  const [instance, ...others] = instancesOf(world);
  assert.deepEqual(others, []);
  assert.deepEqual(instance?.registered, {
    cpuUnits: 8192,
    memoryMiB: 16_384,
    ports: [],
    portsUdp: [],
  });
  assert.deepEqual(
    instance?.attributes.map(({ name }) => name),
    [
      "ecs.os-type",
      "ecs.capability.secrets.ssm.environment-variables",
      "ecs.availability-zone",
      "ecs.instance-type",
    ],
  );
});

test("an agent that has lost its memory gets a new instance, and the old one's tasks end", async () => {
  await using world = await openRegion();
  const first = await register(world);
  const id = first.containerInstance?.containerInstanceArn?.split("/").at(-1) ?? "";
  const { placement } = buildTask();
  const task = buildTask({
    lastStatus: "RUNNING",
    placement: { ...placement, instance: { ...placement.instance, id } },
  });
  await world.put(writeTask(task));
  world.run((signal) =>
    runController(
      createInstancesController(world, { lossAfterMs: undefined, retentionMs: 3_600_000 }),
      world,
      signal,
    ),
  );
  const second = await register(world);
  assert.notEqual(
    second.containerInstance?.containerInstanceArn,
    first.containerInstance?.containerInstanceArn,
  );
  assert.equal(world.value<Instance>(instanceKey(task, "demo", id)).status, "INACTIVE");
  await settle();
  const { lastStatus, stopCode } = world.task(task);
  assert.deepEqual([lastStatus, stopCode], ["STOPPED", "TerminationNotice"]);
});

test("an agent keeps an ARN that is on no record any more: it reads no other from the answer", async () => {
  await using world = await openRegion();
  const arn = "arn:aws:ecs:us-east-1:111111111111:container-instance/demo";
  const lost = `${arn}/${"ab".repeat(16)}`;
  const { containerInstance } = await register(world, { containerInstanceArn: lost });
  assert.equal(containerInstance?.containerInstanceArn, lost);
  const second = await register(world, { containerInstanceArn: `${arn}/not-an-id` });
  assert.match(second.containerInstance?.containerInstanceArn ?? "", /\/demo\/[0-9a-f]{32}$/);
});

test("a registration that comes twice, or again for want of an answer, makes one instance", async () => {
  await using world = await openRegion();
  const arns: (string | undefined)[] = [];
  // The second is the first once more, the third was signed anew.
  for (const signedAt of [5000, 5000, 7000]) {
    const { containerInstance } = await register(world, { clientToken: "one" }, NODE, signedAt);
    arns.push(containerInstance?.containerInstanceArn);
  }
  assert.equal(new Set(arns).size, 1);
  assert.equal(instancesOf(world).length, 1);
});

test("a belated registration of a dead process leaves its successor's instance in service", async () => {
  await using world = await openRegion();
  const { containerInstance } = await register(world, { clientToken: "two" }, NODE, 9000);
  await assert.rejects(register(world, { clientToken: "one" }, NODE, 8000), {
    code: "ServerException",
    message: `A later registration of ${MACHINE} is on record.`,
  });
  const { containerInstanceArn } = containerInstance ?? {};
  await assert.rejects(register(world, { containerInstanceArn }, NODE, 8000), {
    code: "ServerException",
  });
  assert.deepEqual(
    instancesOf(world).map(({ id, status }) => [id, status]),
    [[containerInstanceArn?.split("/").at(-1), "ACTIVE"]],
  );
});

test("a registration delivered again does not bring back what was deregistered since, a new one does", async () => {
  await using world = await openRegion();
  const { containerInstance } = await register(world, { clientToken: "one" }, NODE, 9000);
  const [instance] = instancesOf(world);
  assert.ok(instance);
  const retired = { at: 9500, stopCode: "UserInitiated", reason: "enough" } as const;
  const key = instanceKey(instance, "demo", instance.id);
  await world.put({ key, value: retire(instance, retired) });
  await register(world, { clientToken: "one" }, NODE, 9000);
  assert.equal(world.value<Instance>(key).status, "INACTIVE");
  const { containerInstanceArn } = containerInstance ?? {};
  await register(world, { clientToken: "two", containerInstanceArn }, NODE, 10_000);
  const { status, retired: left } = world.value<Instance>(key);
  assert.deepEqual([status, left], ["ACTIVE", undefined]);
});

test("a machine's GPUs are a resource, and other devices are not", async () => {
  await using world = await openRegion();
  await register(world, {
    platformDevices: [
      { id: "GPU-1", type: "GPU" },
      { id: "n-1", type: "NEURON_DEVICE" as "GPU" },
    ],
  });
  assert.deepEqual(instancesOf(world)[0]?.registered.gpus, ["GPU-1"]);
});

test("a machine without a document is the machine of its key, or nobody's", async () => {
  await using world = await openRegion();
  const withoutDocument = { instanceIdentityDocument: "" };
  const ours = await register(world, withoutDocument);
  assert.equal(ours.containerInstance?.ec2InstanceId, MACHINE);
  const foreign = await register(world, withoutDocument, ROOT);
  const { containerInstanceArn, ec2InstanceId } = foreign.containerInstance ?? {};
  assert.equal(ec2InstanceId, containerInstanceArn?.split("/").at(-1));
});

test("a registration is refused in the words that agents know", async () => {
  const someone = "arn:aws:ecs:us-east-1:222222222222:container-instance/demo/2";
  const cases: [string, Partial<RegisterContainerInstanceCommandInput>, string][] = [
    ["an unknown cluster", { cluster: "nowhere" }, "ClusterNotFoundException"],
    ["a damaged document", { instanceIdentityDocument: "{" }, "InvalidParameterException"],
    [
      "another machine's document",
      { instanceIdentityDocument: `{"instanceId":"i-00000000000000002"}` },
      "AccessDeniedException",
    ],
    [
      "no memory",
      { totalResources: [{ name: "CPU", integerValue: 1 }] },
      "InvalidParameterException",
    ],
    ["another account's ARN", { containerInstanceArn: someone }, "InvalidParameterException"],
  ];
  await using world = await openRegion();
  for (const [name, input, code] of cases) {
    await assert.rejects(register(world, input), { code }, name);
  }
});

test("an instance does not change its type", async () => {
  await using world = await openRegion();
  const { containerInstance } = await register(world);
  await assert.rejects(
    register(world, {
      containerInstanceArn: containerInstance?.containerInstanceArn,
      instanceIdentityDocument: JSON.stringify({ instanceId: MACHINE, instanceType: "m5.metal" }),
    }),
    { message: "Container instance type changes are not supported." },
  );
});

test("a root key cannot claim a machine that other accounts have instances on", async () => {
  await using world = await openRegion();
  await world.put(writeCluster({ accountId: "222222222222" }));
  const arn = nodePrincipalArn("222222222222", MACHINE);
  await register(world, {}, { ...NODE, accountId: "222222222222", arn });
  await assert.rejects(register(world, {}, ROOT), { code: "ClientException" });
});

test("agents are sent to the address by which they came", async () => {
  await using world = await openRegion();
  assert.deepEqual(await ecsAgentOperations(world).DiscoverPollEndpoint.handle({}, callOf(NODE)), {
    endpoint: "http://127.0.0.1:4566/acs",
    telemetryEndpoint: "http://127.0.0.1:4566/tcs",
  });
});

test("a report moves its task, and moves it no further when it comes again", async () => {
  await using world = await openRegion();
  await world.put(writeTask(buildTask()));
  const running: Partial<SubmitTaskStateChangeCommandInput> = {
    status: "RUNNING",
    pullStartedAt: new Date(5_000),
    containers: [{ containerName: "web", status: "RUNNING", runtimeId: "r1" }],
  };
  const { acknowledgment } = await submit(world, running);
  assert.ok(acknowledgment);
  const task = world.task(buildTask());
  assert.deepEqual([task.lastStatus, task.pullStartedAt], ["RUNNING", 5_000]);
  assert.equal(task.containers[0]?.runtimeId, "r1");
  await submit(world, running);
  assert.equal(world.task(buildTask()).version, task.version);
  await submit(world, {
    status: "STOPPED",
    containers: [{ containerName: "web", status: "STOPPED", exitCode: 3 }],
  });
  assert.equal(world.task(buildTask()).lastStatus, "STOPPED");
  await submit(world, running);
  assert.equal(world.task(buildTask()).lastStatus, "STOPPED");
});

test("reports of one container, and of attachments, are taken too", async () => {
  await using world = await openRegion();
  await world.put(writeTask(buildTask()));
  const operations = ecsAgentOperations(world);
  const change = { cluster: "demo", task: TASK_ARN, containerName: "web", status: "RUNNING" };
  await operations.SubmitContainerStateChange.handle(change, callOf(NODE));
  assert.equal(world.task(buildTask()).containers[0]?.lastStatus, "RUNNING");
  const { acknowledgment } = await operations.SubmitAttachmentStateChanges.handle(
    { attachments: [{ attachmentArn: "a", status: "ATTACHED" }] },
    callOf(NODE),
  );
  assert.ok(acknowledgment);
});

test("a container in host mode shows the ports that its agent does not speak of", async () => {
  await using world = await openRegion();
  const portMappings = [{ containerPort: 80, hostPort: 80, protocol: "tcp" as const }];
  await world.put(
    writeDefinition({ containerDefinitions: [{ name: "web", image: "hello", portMappings }] }),
    writeTask(buildTask({ networkMode: "host" })),
  );
  await submit(world, { containers: [{ containerName: "web", status: "RUNNING" }] });
  assert.deepEqual(world.task(buildTask()).containers[0]?.networkBindings, [
    { bindIP: "0.0.0.0", containerPort: 80, hostPort: 80, protocol: "tcp" },
  ]);
});

test("a machine reports on every task placed on it and on no other, whatever the account", async () => {
  await using world = await openRegion();
  const foreign: Partial<Task> = { accountId: "333333333333" };
  await world.put(writeTask(buildTask(foreign)));
  const task = TASK_ARN.replace("111111111111", "333333333333");
  await submit(world, { task, status: "RUNNING" });
  assert.equal(world.task(buildTask(foreign)).lastStatus, "RUNNING");
  const stranger = { ...NODE, arn: nodePrincipalArn("111111111111", "i-00000000000000002") };
  const refusals: [Principal, string][] = [
    [stranger, task],
    [ROOT, task],
    [NODE, `${TASK_ARN}0`],
    [NODE, "nonsense"],
  ];
  for (const [principal, other] of refusals) {
    await assert.rejects(submit(world, { task: other, status: "STOPPED" }, principal), {
      code: "InvalidParameterException",
      message: "The referenced task was not found.",
    });
  }
});

async function openRegion(): Promise<World> {
  const world = await openWorld();
  await world.put(writeCluster(), writeDefinition());
  return world;
}

function register(
  world: World,
  input: Partial<RegistrationInput> = {},
  principal = NODE,
  signedAt?: number,
): ReturnType<ReturnType<typeof ecsAgentOperations>["RegisterContainerInstance"]["handle"]> {
  const document = {
    instanceId: MACHINE,
    instanceType: "m5.large",
    availabilityZone: "us-east-1a",
  };
  return ecsAgentOperations(world).RegisterContainerInstance.handle(
    {
      cluster: "demo",
      instanceIdentityDocument: JSON.stringify(document),
      totalResources: [
        { name: "CPU", type: "INTEGER", integerValue: 4096 },
        { name: "MEMORY", type: "INTEGER", integerValue: 8192 },
        { name: "PORTS", type: "STRINGSET", stringSetValue: ["22"] },
      ],
      attributes: [{ name: "ecs.os-type", value: "linux" }, { name: "ecs.capability.task-eni" }],
      ...input,
    },
    callOf(principal, signedAt),
  );
}

function submit(
  world: World,
  input: Partial<SubmitTaskStateChangeCommandInput>,
  principal = NODE,
): Promise<{ acknowledgment?: string | undefined }> {
  return ecsAgentOperations(world).SubmitTaskStateChange.handle(
    { cluster: "demo", task: TASK_ARN, ...input },
    callOf(principal),
  );
}

function instancesOf(world: World): Instance[] {
  return world.cache
    .lookup("instancesByHost", `us-east-1/${MACHINE}`)
    .map(({ value }) => value as Instance);
}

function callOf(principal: Principal, signedAt?: number): Call {
  return {
    principal,
    region: "us-east-1",
    signedAt: signedAt ?? 1_700_000_000_000,
    requestId: "r",
    endpoint: "http://127.0.0.1:4566",
    sourceIp: "127.0.0.1",
    signal: new AbortController().signal,
  };
}

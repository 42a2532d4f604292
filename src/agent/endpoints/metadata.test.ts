import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../../lib/errors.ts";
import { AWSVPC, payloadContainer, payloadTask } from "../testing/rig.fixture.ts";
import { pass, passUntil } from "../testing/time.fixture.ts";
import { type EndpointRig, openEndpointRig, pathOf } from "./endpoint-rig.fixture.ts";

const TASK_ARN = "arn:aws:ecs:eu-west-1:123456789012:task/default/a1";
const CONTAINER_ARN = "arn:aws:ecs:eu-west-1:123456789012:container/default/a1/c1";
const ADDRESS = "10.9.0.6";

/** Started at 2026-01-01T00:00:00Z, as the rig's clock says. */
async function openWebTask(): Promise<EndpointRig> {
  const world = await openEndpointRig();
  const containers = [
    payloadContainer("web", {
      cpu: 100,
      memory: 64,
      containerArn: CONTAINER_ARN,
      hostConfig: { LogConfig: { Type: "json-file", Config: { "max-size": "1m" } } },
    }),
  ];
  await world.run("a1", {
    ...AWSVPC,
    containers,
    cpu: 0.25,
    memory: 512,
    launchType: "EC2",
    group: "family:hello",
  });
  return world;
}

const V4_CONTAINER = {
  DockerId: "a1-web",
  Name: "web",
  DockerName: "ecs-hello-1-web-e7f8f4da7359be02d4b6",
  Image: "app",
  ImageID: `sha256:617070${"0".repeat(58)}`,
  Labels: {
    "com.amazonaws.ecs.cluster": "default",
    "com.amazonaws.ecs.container-name": "web",
    "com.amazonaws.ecs.task-arn": TASK_ARN,
    "com.amazonaws.ecs.task-definition-family": "hello",
    "com.amazonaws.ecs.task-definition-version": "1",
  },
  DesiredStatus: "RUNNING",
  KnownStatus: "RUNNING",
  Limits: { CPU: 100, Memory: 64 },
  CreatedAt: "2026-01-01T00:00:00Z",
  StartedAt: "2026-01-01T00:00:00Z",
  Type: "NORMAL",
  Networks: [
    {
      NetworkMode: "awsvpc",
      IPv4Addresses: [ADDRESS],
      AttachmentIndex: 0,
      MACAddress: "02:00:00:00:00:06",
      IPv4SubnetCIDRBlock: "10.9.0.0/24",
      DomainNameServers: ["10.9.0.2"],
      DomainNameSearchList: ["lab.internal"],
      PrivateDNSName: "ip-10-9-0-6.lab.internal",
      SubnetGatewayIpv4Address: "10.9.0.1/24",
    },
  ],
  LogDriver: "json-file",
  LogOptions: { "max-size": "1m" },
  ContainerARN: CONTAINER_ARN,
};

const V4_TASK = {
  Cluster: "default",
  TaskARN: TASK_ARN,
  Family: "hello",
  Revision: "1",
  DesiredStatus: "RUNNING",
  KnownStatus: "RUNNING",
  Limits: { CPU: 0.25, Memory: 512 },
  AvailabilityZone: "eu-west-1a",
  LaunchType: "EC2",
  Containers: [V4_CONTAINER],
  VPCID: "vpc-1",
  Group: "family:hello",
  FaultInjectionEnabled: false,
};

const { ContainerARN: _arn, ...V3_BASE } = V4_CONTAINER;
const V3_CONTAINER = {
  ...V3_BASE,
  Networks: [{ NetworkMode: "awsvpc", IPv4Addresses: [ADDRESS] }],
};
const {
  LaunchType: _type,
  VPCID: _vpc,
  Group: _group,
  FaultInjectionEnabled: _fault,
  ...V3_TOP
} = V4_TASK;
const V3_TASK = { ...V3_TOP, Containers: [V3_CONTAINER] };

/** Equal as text: members in this order, and no others. */
function assertSame(answer: { status: number; body: unknown }, expected: object): void {
  assert.equal(answer.status, 200);
  assert.equal(JSON.stringify(answer.body, null, 1), JSON.stringify(expected, null, 1));
}

test("version 4 describes container and task, members in the ECS agent's order", async () => {
  await using world = await openWebTask();
  const path = pathOf(world.variable("a1-web", "ECS_CONTAINER_METADATA_URI_V4"));
  assertSame(await world.ask(path), V4_CONTAINER);
  assertSame(await world.ask(`${path}/task`), V4_TASK);
});

test("version 4 shows how full the task's own disk is, and when its images were pulled", async () => {
  await using world = await openEndpointRig();
  await world.run("a1", { ephemeralStorage: { sizeInGiB: 21 } });
  const path = pathOf(world.variable("a1-web", "ECS_CONTAINER_METADATA_URI_V4"));
  const { body } = await world.ask(`${path}/task`);
  const { EphemeralStorageMetrics, PullStartedAt } = body as Record<string, unknown>;
  assert.deepEqual(EphemeralStorageMetrics, { Utilized: 0, Reserved: 21 * 1024 });
  assert.equal(PullStartedAt, undefined, "its image was loaded");
});

test("version 3 says less", async () => {
  await using world = await openWebTask();
  const path = pathOf(world.variable("a1-web", "ECS_CONTAINER_METADATA_URI"));
  assertSame(await world.ask(path), V3_CONTAINER);
  assertSame(await world.ask(`${path}/task`), V3_TASK);
});

test("version 4 counts restarts where a policy is on", async () => {
  await using world = await openEndpointRig();
  const containers = [true, false].map((enabled) =>
    payloadContainer(String(enabled), { restartPolicy: { enabled } }),
  );
  await world.run("a1", { containers });
  const path = pathOf(world.variable("a1-true", "ECS_CONTAINER_METADATA_URI_V4"));
  const { Containers } = (await world.ask(`${path}/task`)).body as {
    Containers: { RestartCount?: number }[];
  };
  assert.deepEqual(
    Containers.map(({ RestartCount }) => RestartCount),
    [0, undefined],
  );
});

test("Docker's name keeps letters, digits and hyphens of the container's own", async () => {
  await using world = await openEndpointRig();
  await world.run("a1", { containers: [payloadContainer("log-router_1")] });
  const [id = ""] = world.rig.runtime.containers.keys();
  const path = pathOf(world.variable(id, "ECS_CONTAINER_METADATA_URI_V4"));
  const { DockerName } = (await world.ask(path)).body as Record<string, string>;
  assert.match(DockerName ?? "", /^ecs-hello-1-log-router1-[0-9a-f]{20}$/);
});

test("on capacity that nobody manages a task sees nothing of the machine, and containers have their own names", async () => {
  await using world = await openEndpointRig();
  const launchType = "FARGATE";
  await world.run("a1", { ...AWSVPC, launchType, containers: [payloadContainer("web")] });
  const path = pathOf(world.variable("a1-web", "ECS_CONTAINER_METADATA_URI_V4"));
  const task = (await world.ask(`${path}/task`)).body as Record<string, unknown>;
  const cluster = "arn:aws:ecs:eu-west-1:123456789012:cluster/default";
  assert.deepEqual([task.Cluster, task.VPCID], [cluster, undefined]);
  const label = "com.amazonaws.ecs.cluster";
  const container = (await world.ask(path)).body as Record<string, Record<string, string>>;
  const { DockerName, Labels, Limits, Snapshotter } = container;
  assert.deepEqual(
    [DockerName, Labels?.[label], Limits, Snapshotter],
    ["web", cluster, { CPU: 2 }, "overlayfs"],
  );
  assert.equal(world.rig.runtime.containers.get("a1-web")?.labels[label], cluster);
  const stats = (await world.ask(`${path}/stats`)).body as Record<string, unknown>;
  assert.equal(stats.name, "web");
});

test("version 2 knows a task by its address", async () => {
  await using world = await openWebTask();
  const from = ADDRESS;
  assertSame(await world.ask("/v2/metadata", { from }), V3_TASK);
  assertSame(await world.ask("/v2/metadata/a1-web", { from }), V3_CONTAINER);
  assert.equal((await world.ask("/v2/metadata/other", { from })).status, 400);
  assert.equal((await world.ask("/v2/metadata", { from: "10.9.0.99" })).status, 400);
});

test("unknown ids are 404 in version 4 and 400 in version 3, as JSON strings", async () => {
  await using world = await openWebTask();
  const v4 = await world.ask("/v4/5d3ab47b-8a2e-4b51-8d19-7b0d43c1e6a9/task");
  const v3 = await world.ask("/v3/5d3ab47b-8a2e-4b51-8d19-7b0d43c1e6a9");
  assert.deepEqual([v4.status, typeof v4.body], [404, "string"]);
  assert.deepEqual([v3.status, typeof v3.body], [400, "string"]);
  assert.equal((await world.ask("/")).status, 404);
  const path = pathOf(world.variable("a1-web", "ECS_CONTAINER_METADATA_URI_V4"));
  assert.equal((await world.ask(path, { method: "POST" })).status, 405);
  assert.equal((await world.ask(path, { method: "HEAD" })).status, 200);
});

test("a container's id is another task's secret, and stays over restarts of the agent", async () => {
  await using world = await openWebTask();
  const [eni] = AWSVPC.elasticNetworkInterfaces ?? [];
  assert.ok(eni);
  const ipv4Addresses = [{ privateAddress: "10.9.0.7", primary: true }];
  await world.run("a2", {
    ...AWSVPC,
    elasticNetworkInterfaces: [{ ...eni, ipv4Addresses }],
  });
  const path = pathOf(world.variable("a1-web", "ECS_CONTAINER_METADATA_URI_V4"));
  assert.equal((await world.ask(path, { from: "10.9.0.7" })).status, 404);
  await world.agent.stop();
  await world.rig.connect();
  assertSame(await world.ask(path, { from: ADDRESS }), V4_CONTAINER);
});

test("containers that wait for others have not begun", async () => {
  await using world = await openEndpointRig();
  const containers = [
    payloadContainer("web"),
    payloadContainer("after", {
      essential: false,
      dependsOn: [{ containerName: "web", condition: "COMPLETE" }],
    }),
  ];
  world.rig.server.assign(payloadTask("a1", { containers }));
  await passUntil(world.rig.clock, () => world.rig.runtime.containers.has("a1-web"));
  await pass(world.rig.clock, 100);
  const path = pathOf(world.variable("a1-web", "ECS_CONTAINER_METADATA_URI_V4"));
  const statuses = async (): Promise<unknown[]> => {
    const { body } = await world.ask(`${path}/task`);
    const task = body as { KnownStatus: string; Containers: { KnownStatus: string }[] };
    return [task.KnownStatus, ...task.Containers.map(({ KnownStatus }) => KnownStatus)];
  };
  assert.deepEqual(await statuses(), ["NONE", "RUNNING", "PULLED"]);
});

test("tags are asked for in the node's name; what cannot be had is an error in the answer", async () => {
  await using world = await openWebTask();
  const path = pathOf(world.variable("a1-web", "ECS_CONTAINER_METADATA_URI_V4"));
  world.rig.server.tags.set(TASK_ARN, [{ key: "stage", value: "test" }]);
  assertSame(await world.ask(`${path}/taskWithTags`), {
    ...withTags(V4_TASK, { TaskTags: { stage: "test" } }),
  });
  const calls = world.rig.server.calls.filter(
    ({ operation }) => operation === "ListTagsForResource",
  );
  assert.equal(calls.length, 2);
  assert.ok(calls.every(({ credentials }) => credentials.accessKeyId === "NODE"));

  world.rig.server.fail = (operation) =>
    operation === "ListTagsForResource"
      ? new ApiError("AccessDeniedException", "not allowed", { status: 400 })
      : undefined;
  const { body } = await world.ask(`${path}/taskWithTags`);
  const { Errors } = body as { Errors: object[] };
  assert.deepEqual(Errors[0], {
    ErrorField: "TaskTags",
    ErrorCode: "AccessDeniedException",
    ErrorMessage: "not allowed",
    StatusCode: 400,
    ResourceARN: TASK_ARN,
  });
});

/** Tags stand behind the zone. */
function withTags(task: object, tags: object): object {
  const entries = Object.entries(task);
  const at = entries.findIndex(([name]) => name === "AvailabilityZone") + 1;
  return Object.fromEntries([
    ...entries.slice(0, at),
    ...Object.entries(tags),
    ...entries.slice(at),
  ]);
}

test("stats are live, in Docker's form; a container that has stopped has none", async () => {
  await using world = await openEndpointRig();
  const containers = [payloadContainer("web"), payloadContainer("side", { essential: false })];
  await world.run("a1", { containers });
  const { clock, runtime } = world.rig;
  const path = pathOf(world.variable("a1-web", "ECS_CONTAINER_METADATA_URI_V4"));
  const network = (rxBytes: number) => ({
    eth0: {
      rxBytes,
      rxPackets: 1,
      rxErrors: 0,
      rxDropped: 0,
      txBytes: 0,
      txPackets: 0,
      txErrors: 0,
      txDropped: 0,
    },
  });
  runtime.setStats("a1-web", { pids: 3, network: network(1000) });
  await world.ask(`${path}/stats`);
  await pass(clock, 2000);
  runtime.setStats("a1-web", { pids: 4, network: network(5000) });
  const { body } = await world.ask(`${path}/stats`);
  const stats = body as Record<string, unknown>;
  assert.deepEqual(Object.keys(stats), [
    "read",
    "preread",
    "pids_stats",
    "blkio_stats",
    "num_procs",
    "storage_stats",
    "cpu_stats",
    "precpu_stats",
    "memory_stats",
    "name",
    "id",
    "networks",
    "network_rate_stats",
  ]);
  assert.deepEqual(stats.pids_stats, { current: 4 });
  assert.deepEqual(stats.network_rate_stats, { rx_bytes_per_sec: 2000, tx_bytes_per_sec: 0 });
  assert.equal(stats.id, "a1-web");
  // The collectors of Datadog and OpenTelemetry know the operations by these names only.
  const blocks = stats.blkio_stats as Record<string, { op: string; value: number }[]>;
  const operations = blocks.io_service_bytes_recursive?.map(({ op }) => op);
  assert.deepEqual([operations, blocks.io_queue_recursive], [["Read", "Write"], []]);

  runtime.exit("a1-side", 0);
  await passUntil(clock, () => !runtime.containers.has("a1-side"));
  const both = await world.ask(`${path}/task/stats`);
  assert.deepEqual(Object.keys(both.body as object), ["a1-web", "a1-side"]);
  assert.deepEqual((both.body as Record<string, unknown>)["a1-side"], {});
  const older = await world.ask(`${path.replace("v4", "v3")}/task/stats`);
  const v3 = older.body as Record<string, { network_rate_stats?: object } | null>;
  assert.equal(v3["a1-side"], null);
  assert.equal(v3["a1-web"]?.network_rate_stats, undefined);
});

test("there are no associations, and faults are refused as where they are not enabled", async () => {
  await using world = await openWebTask();
  const path = pathOf(world.variable("a1-web", "ECS_CONTAINER_METADATA_URI_V4"));
  const list = await world.ask(`${path}/associations/gpu`);
  assert.deepEqual(list, { status: 200, body: { Associations: null } });
  assert.equal((await world.ask(`${path}/associations/gpu/0`)).status, 404);
  const api = pathOf(world.variable("a1-web", "ECS_AGENT_URI"));
  const start = "fault/v1/network-latency/start";
  const fault = await world.ask(`${api}/${start}`, { method: "POST" });
  assert.deepEqual(fault, {
    status: 400,
    body: { Error: `enableFaultInjection is not enabled for task: ${TASK_ARN}` },
  });
  assert.equal((await world.ask(`/api/none/${start}`, { method: "POST" })).status, 404);
});

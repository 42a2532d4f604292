import assert from "node:assert/strict";
import { test } from "node:test";
import { instanceKey, taskKey } from "../model/keys.ts";
import { buildContainer, buildTask } from "../model/task.fixture.ts";
import type { Task } from "../model/task.ts";
import {
  type AgentWorld,
  INSTANCE_ARN,
  openAgentWorld,
  ROOT,
  upgradeCall,
} from "./agent-world.fixture.ts";
import { connectPeer, type Peer, settle, writeTask } from "./control.fixture.ts";

type TelemetryPeer = Peer<{ type: string; message: Record<string, unknown> }>;

const TASK_ID = "11111111111111111111111111111111";
const TASK_ARN = `arn:aws:ecs:us-east-1:111111111111:task/demo/${TASK_ID}`;
const SCOPE = { accountId: "111111111111", region: "us-east-1" };
const TASK_KEY = taskKey(SCOPE, "demo", TASK_ID);
const INSTANCE_KEY = instanceKey(SCOPE, "demo", INSTANCE_ARN.split("/").at(-1) ?? "");

async function connectTelemetry(
  world: AgentWorld,
  containerInstance = INSTANCE_ARN,
): Promise<TelemetryPeer> {
  const route = world.dispatcher.routes.find(({ path }) => path === "/tcs/ws");
  const decision = await route?.open(upgradeCall({ cluster: "demo", containerInstance }, ROOT));
  assert.ok(decision && "accept" in decision);
  const agent: TelemetryPeer = connectPeer();
  decision.accept(agent.socket);
  await settle();
  return agent;
}

/** A frame byte for byte as amazon-ecs-agent 1.105 sends it: the headers of a signed request stand before the JSON. */
function realFrame(type: string, message: object): string {
  return (
    "Authorization: AWS4-HMAC-SHA256 Credential=AKIA0000000000000000/20261123/us-east-1/ecs/aws4_request, " +
    "SignedHeaders=host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7\r\n" +
    "Host: localhost:4566\r\nX-Amz-Date: 20261123T010000Z\r\n\r\n" +
    `${JSON.stringify({ type, message })}\n`
  );
}

const METADATA = {
  cluster: "demo",
  containerInstance: INSTANCE_ARN,
  fin: true,
  messageId: "6f1c2ab3-0000-4000-8000-000000000001",
};

function health(status: string, metadata: object = METADATA): string {
  return realFrame("PublishHealthRequest", {
    metadata,
    tasks: [
      {
        clusterArn: "arn:aws:ecs:us-east-1:111111111111:cluster/demo",
        containers: [{ containerName: "web", healthStatus: status, statusSince: 1795376171.135 }],
        taskArn: TASK_ARN,
        taskDefinitionFamily: "hello",
        taskDefinitionVersion: "1",
      },
    ],
    timestamp: 1795376180.5,
  });
}

function typesOf(agent: TelemetryPeer): readonly string[] {
  return agent.received.map(({ type }) => type).filter((type) => type !== "HeartbeatMessage");
}

async function openRunning(): Promise<AgentWorld> {
  const world = await openAgentWorld();
  const containers = [buildContainer({ lastStatus: "RUNNING" })];
  await world.put(writeTask(buildTask({ lastStatus: "RUNNING", containers })));
  return world;
}

function healthOf(world: AgentWorld): string | undefined {
  return world.value<Task>(TASK_KEY).containers[0]?.healthStatus;
}

test("what the ECS agent publishes is acknowledged, bare JSON too, and heartbeats come", async () => {
  await using world = await openAgentWorld();
  const agent = await connectTelemetry(world);
  const idle = { metadata: { ...METADATA, idle: true }, timestamp: 1795376180.5 };
  agent.send(realFrame("PublishMetricsRequest", idle));
  agent.send(JSON.stringify({ type: "PublishMetricsRequest", message: idle }));
  agent.send(health("HEALTHY"));
  await world.clock.advance(26_000);
  assert.deepEqual(
    agent.received.map(({ type }) => type),
    [
      "HeartbeatMessage",
      "AckPublishMetric",
      "AckPublishMetric",
      "AckPublishHealth",
      "HeartbeatMessage",
    ],
  );
});

test("health reaches the task, once per change", async () => {
  await using world = await openRunning();
  const agent = await connectTelemetry(world);
  agent.send(health("UNKNOWN"));
  await settle();
  const { version } = world.value<Task>(TASK_KEY);
  agent.send(health("HEALTHY"));
  agent.send(health("HEALTHY"));
  await settle();
  assert.equal(healthOf(world), "HEALTHY");
  assert.equal(world.value<Task>(TASK_KEY).version, version + 1);
  agent.send(health("UNHEALTHY"));
  await settle();
  assert.equal(healthOf(world), "UNHEALTHY");
});

test("metrics are kept in memory, and forgotten with the task", async () => {
  await using world = await openRunning();
  const agent = await connectTelemetry(world);
  const set = (value: number) => ({ max: value, min: value, sampleCount: 1, sum: value });
  const counter = (value: number) => ({
    ...set(value),
    overflowMax: 0,
    overflowMin: 0,
    overflowSum: 0,
  });
  agent.send(
    realFrame("PublishMetricsRequest", {
      instanceMetrics: { storage: { dataFilesystem: 12.5, rootFilesystem: 40.25 } },
      metadata: { ...METADATA, idle: false },
      taskMetrics: [
        {
          clusterArn: "",
          containerMetrics: [
            {
              containerName: "web",
              cpuStatsSet: set(1.5),
              memoryStatsSet: set(42),
              networkStatsSet: {
                rxBytes: counter(1000),
                rxBytesPerSecond: set(10),
                txBytes: counter(2000),
                txBytesPerSecond: set(20),
              },
              storageStatsSet: { readSizeBytes: counter(4096), writeSizeBytes: counter(8192) },
            },
            { containerName: "~internal~ecs~pause", cpuStatsSet: set(0) },
          ],
          taskArn: TASK_ARN,
          taskDefinitionFamily: "hello",
          taskDefinitionVersion: "1",
        },
      ],
      timestamp: 1795376180.5,
    }),
  );
  await settle();
  const latest = world.telemetry.containers.latest(TASK_KEY);
  assert.deepEqual(
    [...latest],
    [
      [
        "web",
        {
          at: world.clock.now(),
          cpuPercent: set(1.5),
          memoryMiB: set(42),
          rxBytes: 1000,
          txBytes: 2000,
          readBytes: 4096,
          writeBytes: 8192,
        },
      ],
    ],
  );
  await world.put({
    key: TASK_KEY,
    value: { ...world.value<Task>(TASK_KEY), lastStatus: "STOPPED" },
  });
  assert.equal(world.telemetry.containers.latest(TASK_KEY).size, 0);
});

test("the state of a machine is what its agent last said, and nothing when it has been silent", async () => {
  await using world = await openAgentWorld();
  const agent = await connectTelemetry(world);
  const overall = () =>
    world.telemetry.instances.present(INSTANCE_KEY, world.clock.now()).overallStatus;
  assert.equal(overall(), "INSUFFICIENT_DATA");
  const now = world.clock.now() / 1000;
  const say = async (status: string): Promise<void> => {
    agent.send(
      realFrame("PublishInstanceStatusRequest", {
        metadata: { cluster: "demo", containerInstance: INSTANCE_ARN, requestId: "r" },
        statuses: [{ lastStatusChange: now, lastUpdated: now, status, type: "ContainerRuntime" }],
        timestamp: now,
      }),
    );
    await settle();
  };
  await say("IMPAIRED");
  assert.equal(overall(), "IMPAIRED");
  await say("OK");
  assert.deepEqual(world.telemetry.instances.present(INSTANCE_KEY, world.clock.now()), {
    overallStatus: "OK",
    details: [
      {
        type: "CONTAINER_RUNTIME",
        status: "OK",
        lastUpdated: new Date(now * 1000),
        lastStatusChange: new Date(now * 1000),
      },
    ],
  });
  await world.clock.advance(200_000);
  assert.equal(overall(), "INSUFFICIENT_DATA");
  assert.ok(typesOf(agent).includes("AckPublishInstanceStatus"));
});

test("an agent speaks for its own instance and for the tasks placed there, not for others", async () => {
  await using world = await openRunning();
  const agent = await connectTelemetry(world);
  const other = INSTANCE_ARN.replace(/.$/, "f");
  agent.send(health("HEALTHY", { ...METADATA, containerInstance: other }));
  await settle();
  assert.deepEqual(typesOf(agent), ["InvalidParameterException"]);
  const task = world.value<Task>(TASK_KEY);
  const instance = { ...task.placement.instance, id: "another" };
  await world.put({
    key: TASK_KEY,
    value: { ...task, placement: { ...task.placement, instance } },
  });
  agent.send(health("HEALTHY"));
  await settle();
  assert.equal(healthOf(world), undefined);
});

test("the newest connection is the only one that is heard", async () => {
  await using world = await openRunning();
  const old = await connectTelemetry(world);
  const agent = await connectTelemetry(world);
  old.send(health("UNHEALTHY"));
  agent.send(health("HEALTHY"));
  old.send(health("UNHEALTHY"));
  await settle();
  assert.equal(healthOf(world), "HEALTHY");
  assert.deepEqual(typesOf(old), []);
});

test("noise is answered and ignored; a flood ends the connection", async () => {
  await using world = await openAgentWorld();
  const agent = await connectTelemetry(world);
  const wrong = [
    "noise",
    "{}",
    '{"type":"PublishHealthRequest"}',
    '{"type":"PublishHealthRequest","message":{"metadata":{}}}',
    '{"type":"PublishMetricsRequest","message":{"metadata":{},"taskMetrics":[{}]}}',
    '{"type":"PublishMetricsRequest","message":{"metadata":{},"taskMetrics":[{"taskArn":"a","containerMetrics":[{"containerName":"c","cpuStatsSet":{"min":"1"}}]}]}}',
  ];
  for (const frame of wrong) agent.send(frame);
  agent.send('{"type":"SomethingNew","message":{}}');
  await settle();
  assert.deepEqual(
    typesOf(agent),
    wrong.map(() => "BadRequestException"),
  );
  for (let count = 0; count < 600; count++) agent.send("noise");
  await settle();
  assert.equal(agent.closed?.code, 1008);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { signRequest } from "../../lib/sigv4.ts";
import type { TelemetryMessage } from "../../protocol/tcs.ts";
import { bodyOfFrame } from "../../protocol/tcs.ts";
import { INSTANCE_ARN } from "../testing/fake-server.fixture.ts";
import { payloadTask, Rig, TEST_CONFIG } from "../testing/rig.fixture.ts";
import { pass, passUntil } from "../testing/time.fixture.ts";

function typesOf(rig: Rig): readonly string[] {
  return rig.server.telemetry.map(({ type }) => type);
}

function countOf(rig: Rig, type: TelemetryMessage["type"]): number {
  return typesOf(rig).filter((other) => other === type).length;
}

test("an agent connects its telemetry as the ECS agent does, and signs every frame", async () => {
  await using rig = await Rig.create();
  await rig.connect();
  await passUntil(rig.clock, () => rig.server.telemetryFrames.length > 0);
  const url = new URL(rig.server.telemetryDialled[0] ?? "");
  assert.equal(url.pathname, "/tcs/ws");
  assert.deepEqual(Object.fromEntries(url.searchParams), {
    agentHash: "gantry",
    agentVersion: "0.1.0",
    cluster: "default",
    containerInstance: INSTANCE_ARN,
    dockerVersion: "fake 1",
  });
  const frame = rig.server.telemetryFrames[0] ?? "";
  const body = bodyOfFrame(frame);
  const expected = signRequest({
    method: "GET",
    url,
    body,
    credentials: { accessKeyId: "NODE", secretAccessKey: "secret" },
    service: "ecs",
    region: "eu-west-1",
    now: rig.clock.now(),
  });
  assert.equal(
    frame,
    `Authorization: ${expected.authorization}\r\nHost: server:4566\r\n` +
      `X-Amz-Date: ${expected["x-amz-date"]}\r\n\r\n${body}`,
  );
});

test("metrics and the engine's state come at once and every 20 seconds; an idle machine says so", async () => {
  await using rig = await Rig.create();
  await rig.connect();
  await pass(rig.clock, 1000);
  assert.deepEqual(typesOf(rig), ["PublishMetricsRequest", "PublishInstanceStatusRequest"]);
  const [metrics, status] = rig.server.telemetry;
  assert.ok(metrics?.type === "PublishMetricsRequest" && metrics.message.metadata.idle);
  assert.ok(status?.type === "PublishInstanceStatusRequest");
  assert.deepEqual(
    status.message.statuses.map(({ type, status }) => [type, status]),
    [["ContainerRuntime", "OK"]],
  );
  await pass(rig.clock, 60_000);
  assert.equal(countOf(rig, "PublishMetricsRequest"), 4);
});

test("a running task's use is told; every second where that is asked for", async () => {
  await using rig = await Rig.create();
  await rig.connect({ config: { ...TEST_CONFIG, metricsIntervalMs: 1_000 } });
  rig.server.assign(payloadTask("a1"));
  await passUntil(rig.clock, () => rig.server.reports.length > 0);
  await pass(rig.clock, 10_000);
  const told = rig.server.telemetry.filter(
    ({ type, message }) => type === "PublishMetricsRequest" && message.taskMetrics !== undefined,
  );
  assert.ok(told.length >= 8, `${told.length} messages in ten seconds`);
  const [first] = told;
  assert.ok(first?.type === "PublishMetricsRequest");
  const [task] = first.message.taskMetrics ?? [];
  assert.equal(task?.taskArn, payloadTask("a1").arn);
  assert.equal(task?.containerMetrics[0]?.containerName, "web");
  assert.ok(task?.containerMetrics[0]?.cpuStatsSet);
});

test("an engine that does not answer is told as impaired", async () => {
  await using rig = await Rig.create();
  const { runtime } = rig;
  let isStuck = false;
  const version = (): Promise<string> =>
    isStuck ? new Promise(() => undefined) : runtime.version();
  await rig.connect({ runtime: { ...runtime, version } });
  isStuck = true;
  await pass(rig.clock, 30_000);
  const last = rig.server.telemetry.findLast(({ type }) => type === "PublishInstanceStatusRequest");
  assert.ok(last?.type === "PublishInstanceStatusRequest");
  assert.equal(last.message.statuses[0]?.status, "IMPAIRED");
});

test("a connection that the server closes is opened again at once, one that it refuses with pauses", async () => {
  await using rig = await Rig.create();
  await rig.connect();
  await pass(rig.clock, 35_000);
  rig.server.telemetrySocket?.close(1001, "restarting");
  await pass(rig.clock, 10);
  assert.equal(rig.server.telemetryDialled.length, 2);
  rig.server.fail = (operation) =>
    operation === "dial telemetry" ? new Error("refused") : undefined;
  rig.server.telemetrySocket?.close(1001, "restarting");
  await pass(rig.clock, 300_000);
  const dials = rig.server.telemetryDialled.length;
  assert.ok(dials > 6 && dials < 14, `${dials} dials`);
});

test("a silent connection is given up after one to two minutes", async () => {
  await using rig = await Rig.create();
  rig.server.heartbeats = false;
  rig.start();
  await passUntil(rig.clock, () => rig.server.telemetryDialled.length === 1);
  await pass(rig.clock, 121_000);
  assert.ok(rig.server.telemetryDialled.length > 1);
});

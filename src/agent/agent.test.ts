import assert from "node:assert/strict";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { UnavailableError } from "../lib/errors.ts";
import { CLUSTER_ARN } from "./testing/fake-server.fixture.ts";
import {
  AWSVPC,
  createFakeDataplane,
  payloadContainer,
  payloadTask,
  Rig,
} from "./testing/rig.fixture.ts";
import { pass, passUntil } from "./testing/time.fixture.ts";

const STOP = { desiredStatus: "STOPPED" } as const;

test("a task is acknowledged, run and reported RUNNING with what runs", async () => {
  await using rig = await Rig.create();
  await rig.connect();
  const task = payloadTask("a1", AWSVPC);
  const messageId = rig.server.assign(task);
  await passUntil(rig.clock, () => rig.server.reports.length > 0);
  assert.ok(rig.server.acknowledged(messageId));
  const [report] = rig.server.reports;
  assert.equal(report?.status, "RUNNING");
  assert.deepEqual(
    report?.containers.map(({ containerName, runtimeId, status }) => ({
      containerName,
      runtimeId,
      status,
    })),
    [{ containerName: "web", runtimeId: "a1-web", status: "RUNNING" }],
  );
  assert.match(report?.containers[0]?.imageDigest ?? "", /^sha256:/);
  const spec = rig.runtime.containers.get("a1-web");
  assert.deepEqual(spec?.network, { mode: "namespace", path: "/run/netns/a1" });
  assert.equal(spec?.hostname, "ip-10-9-0-6.lab.internal");
});

test("containers of a task share its namespace and are reported in one RUNNING", async () => {
  await using rig = await Rig.create();
  await rig.connect();
  const containers = [payloadContainer("web"), payloadContainer("side", { essential: false })];
  rig.server.assign(payloadTask("a1", { ...AWSVPC, containers }));
  await passUntil(rig.clock, () => rig.server.reports.length > 0);
  const networks = [...rig.runtime.containers.values()].map(({ network }) => network);
  assert.equal(networks.length, 2);
  assert.deepEqual(networks[0], networks[1]);
  assert.deepEqual(
    rig.server.reports[0]?.containers.map(({ containerName }) => containerName),
    ["web", "side"],
  );
});

test("a process that exits by itself with 3 is reported with exit code 3, after RUNNING", async () => {
  await using rig = await Rig.create({ app: { runFor: 1000, exitCode: 3 } });
  await rig.connect();
  rig.server.assign(payloadTask("a1"));
  await passUntil(rig.clock, () => rig.server.reports.at(-1)?.status === "STOPPED");
  assert.deepEqual(
    rig.server.reports.map(({ status }) => status),
    ["RUNNING", "STOPPED"],
  );
  const last = rig.server.reports.at(-1);
  assert.equal(last?.containers[0]?.exitCode, 3);
  assert.equal(last?.containers[0]?.reason, undefined);
  assert.ok(last?.executionStoppedAt);
});

test("the end of an essential container stops the others", async () => {
  await using rig = await Rig.create({ short: { runFor: 500 } });
  await rig.connect();
  const containers = [payloadContainer("main", { image: "short" }), payloadContainer("side")];
  rig.server.assign(payloadTask("a1", { containers }));
  await passUntil(rig.clock, () => rig.server.reports.at(-1)?.status === "STOPPED");
  const codes = new Map(
    rig.server.reports.flatMap(({ containers: changes }) =>
      changes.map(({ containerName, exitCode }) => [containerName, exitCode]),
    ),
  );
  assert.deepEqual(
    codes,
    new Map([
      ["main", 0],
      ["side", 143],
    ]),
  );
});

test("a container that ignores its stop signal is killed after its timeout: 137", async () => {
  await using rig = await Rig.create({ deaf: { onStop: "ignored" } });
  await rig.connect();
  const containers = [payloadContainer("web", { image: "deaf", stopTimeout: 7 })];
  const task = payloadTask("a1", { containers });
  rig.server.assign(task);
  await passUntil(rig.clock, () => rig.server.reports.length === 1);
  const stopAt = rig.clock.now();
  rig.server.assign({ ...task, ...STOP });
  await passUntil(rig.clock, () => rig.server.reports.length === 2);
  assert.deepEqual(
    rig.runtime.signals.map(({ signal }) => signal),
    ["SIGTERM", "SIGKILL"],
  );
  const waitedMs = rig.clock.now() - stopAt;
  assert.ok(waitedMs >= 7000 && waitedMs < 9000, `killed after ${waitedMs} ms`);
  assert.equal(rig.server.reports[1]?.containers[0]?.exitCode, 137);
});

test("nothing is left of a task that has stopped", async () => {
  await using rig = await Rig.create({ app: { output: "hello\n" } });
  const { agent } = await rig.connect();
  const task = payloadTask("a1", AWSVPC);
  rig.server.assign(task);
  await passUntil(rig.clock, () => rig.server.reports.length === 1);
  assert.equal(rig.dataplane.attached.size, 1);
  rig.server.assign({ ...task, ...STOP });
  await passUntil(rig.clock, () => agent.tasks().length === 0);
  assert.equal(rig.server.reports.at(-1)?.status, "STOPPED");
  assert.equal(rig.runtime.containers.size, 0);
  assert.equal(rig.dataplane.attached.size, 0);
  await assert.rejects(access(join(rig.directory, "tasks", "a1")));
});

test("the stop of a task that is not here is acknowledged and answered with STOPPED", async () => {
  await using rig = await Rig.create();
  await rig.connect();
  const messageId = rig.server.assign(payloadTask("a1", STOP));
  await passUntil(rig.clock, () => rig.server.reports.length === 1);
  assert.ok(rig.server.acknowledged(messageId));
  assert.deepEqual(rig.server.reports[0]?.status, "STOPPED");
});

test("dependencies order the start and, reversed, the stop", async () => {
  await using rig = await Rig.create({ init: { runFor: 300 } });
  await rig.connect();
  const containers = [
    payloadContainer("app", { dependsOn: [{ containerName: "db", condition: "START" }] }),
    payloadContainer("db", { dependsOn: [{ containerName: "init", condition: "SUCCESS" }] }),
    payloadContainer("init", { image: "init", essential: false }),
  ];
  const task = payloadTask("a1", { containers });
  rig.server.assign(task);
  await passUntil(rig.clock, () => rig.server.reports.length === 1);
  assert.deepEqual([...rig.runtime.starts.keys()], ["a1-init", "a1-db", "a1-app"]);
  rig.server.assign({ ...task, ...STOP });
  await passUntil(rig.clock, () => rig.server.reports.at(-1)?.status === "STOPPED");
  assert.deepEqual(
    rig.runtime.signals.map(({ id }) => id),
    ["a1-app", "a1-db"],
  );
});

test("a container whose dependency failed is given 143, as the ECS agent does", async () => {
  await using rig = await Rig.create({ init: { runFor: 300, exitCode: 1 } });
  await rig.connect();
  const containers = [
    payloadContainer("init", { image: "init", essential: false }),
    payloadContainer("app", { dependsOn: [{ containerName: "init", condition: "SUCCESS" }] }),
  ];
  rig.server.assign(payloadTask("a1", { containers }));
  await passUntil(rig.clock, () => rig.server.reports.at(-1)?.status === "STOPPED");
  const last = rig.server.reports.at(-1)?.containers.find((one) => one.containerName === "app");
  assert.equal(last?.exitCode, 143);
  assert.match(last?.reason ?? "", /^CannotStartContainerError: dependency init of container app /);
});

test("START waits no longer for what has ended, also without a start; links and volumes need one", async () => {
  await using rig = await Rig.create({ broken: { createError: "no space" } });
  await rig.connect();
  const side = payloadContainer("side", { image: "broken", essential: false });
  const app = payloadContainer("app", {
    dependsOn: [{ containerName: "side", condition: "START" }],
  });
  const linked = payloadContainer("app", {
    volumesFrom: [{ sourceContainer: "side", readOnly: true }],
  });
  rig.server.assign(
    payloadTask("a1", { containers: [app, side] }),
    payloadTask("a2", { containers: [linked, side] }),
  );
  const last = (id: string) => rig.server.reportsOf(payloadTask(id).arn).at(-1);
  await passUntil(rig.clock, () => last("a1") !== undefined && last("a2")?.status === "STOPPED");
  assert.equal(last("a1")?.status, "RUNNING");
  const reason = last("a2")?.containers.find(
    ({ containerName }) => containerName === "app",
  )?.reason;
  assert.match(
    reason ?? "",
    /^CannotStartContainerError: dependency side of container app never ran/,
  );
});

test("the manifest's stop is verified before it is carried out; an old manifest is not answered", async () => {
  await using rig = await Rig.create();
  await rig.connect();
  rig.server.assign(payloadTask("kept"), payloadTask("dropped"));
  await passUntil(rig.clock, () => rig.server.reports.length === 2);
  const kept = payloadTask("kept").arn;
  const dropped = payloadTask("dropped").arn;
  rig.server.sendManifest([], 0);
  rig.server.sendManifest([kept]);
  const verification = (): { messageId: string } | undefined =>
    rig.server.received.find(({ type }) => type === "TaskStopVerificationMessage")?.message as
      | { messageId: string }
      | undefined;
  await passUntil(rig.clock, () => verification() !== undefined);
  const candidate = {
    taskArn: dropped,
    taskClusterArn: CLUSTER_ARN,
    desiredStatus: "STOPPED" as const,
  };
  assert.deepEqual(verification(), { messageId: "manifest-3", stopCandidates: [candidate] });
  assert.ok(rig.server.acknowledged("manifest-3") && !rig.server.acknowledged("manifest-2"));
  assert.equal(rig.runtime.signals.length, 0);
  rig.server.send({
    type: "TaskStopVerificationAck",
    message: { messageId: "manifest-3", generatedAt: 0, stopTasks: [candidate] },
  });
  await passUntil(rig.clock, () => rig.server.reportsOf(dropped).length === 2);
  assert.equal(rig.server.reportsOf(kept).length, 1);
});

test("a task that waits for its network can be stopped", async () => {
  await using rig = await Rig.create();
  const dataplane = {
    ...createFakeDataplane(),
    attach: async () => {
      await rig.clock.sleep(2000);
      throw new UnavailableError("no interface yet");
    },
  };
  await rig.connect({ dataplane });
  rig.server.assign(payloadTask("a1", AWSVPC));
  await pass(rig.clock, 10_000);
  rig.server.assign(payloadTask("a1", STOP));
  await passUntil(rig.clock, () => rig.server.reports.length === 1);
  assert.equal(rig.server.reports[0]?.status, "STOPPED");
});

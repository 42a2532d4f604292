import assert from "node:assert/strict";
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { ApiError, SetupError, UnavailableError } from "../lib/errors.ts";
import { OUT_OF_MEMORY_REASON } from "./task-record.ts";
import { CLUSTER_ARN } from "./testing/fake-server.ts";
import {
  AWSVPC,
  awslogs,
  createFakeDataplane,
  payloadContainer,
  payloadTask,
  Rig,
  TEST_CONFIG,
} from "./testing/rig.ts";
import { pass, passUntil } from "./testing/time.ts";

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

test("a payload that comes again, even after the task's end, starts nothing", async () => {
  await using rig = await Rig.create({ app: { runFor: 100 } });
  const { agent } = await rig.connect();
  rig.server.assign(payloadTask("a1"));
  await passUntil(rig.clock, () => rig.server.reports.length === 2 && agent.tasks().length === 0);
  const again = rig.server.assign(payloadTask("a1"));
  await passUntil(rig.clock, () => rig.server.acknowledged(again));
  await pass(rig.clock, 5000);
  assert.equal(rig.runtime.starts.get("a1-web"), 1);
  assert.equal(rig.server.reports.length, 2);
});

test("the stop of a task that is not here is acknowledged and answered with STOPPED", async () => {
  await using rig = await Rig.create();
  await rig.connect();
  const messageId = rig.server.assign(payloadTask("a1", STOP));
  await passUntil(rig.clock, () => rig.server.reports.length === 1);
  assert.ok(rig.server.acknowledged(messageId));
  assert.deepEqual(rig.server.reports[0]?.status, "STOPPED");
});

test("a restarted agent adopts what runs and tells what happened meanwhile", async () => {
  await using rig = await Rig.create();
  const first = await rig.connect();
  rig.server.assign(payloadTask("stays"), payloadTask("ends"), payloadTask("dies"));
  await passUntil(rig.clock, () => rig.server.reports.length === 3);
  await first.stop();
  assert.equal(rig.runtime.containers.size, 3, "a stopped agent leaves containers running");
  rig.runtime.exit("ends-web", 3);
  await rig.runtime.remove("dies-web");

  const second = await rig.connect();
  await passUntil(rig.clock, () => rig.server.reports.length === 5);
  const codes = rig.server.reports
    .filter(({ status }) => status === "STOPPED")
    .map(({ task, containers }) => [task.split("/").at(-1), containers[0]?.exitCode]);
  assert.deepEqual(
    new Map(codes as []),
    new Map<unknown, unknown>([
      ["ends", 3],
      ["dies", undefined],
    ]),
  );
  await passUntil(rig.clock, () => second.agent.tasks().length === 1);
  assert.equal(rig.runtime.starts.get("stays-web"), 1, "what runs is not started again");
  rig.runtime.exit("stays-web", 9);
  await passUntil(rig.clock, () => rig.server.reports.length === 6);
  assert.equal(rig.server.reports.at(-1)?.containers[0]?.exitCode, 9);
  const registrations = rig.server.calls.filter(
    ({ operation }) => operation === "RegisterContainerInstance",
  );
  assert.deepEqual(
    registrations.map(({ input }) => input.containerInstanceArn !== undefined),
    [false, true],
  );
});

test("containers that no assignment knows are removed; the other agent's are left alone", async () => {
  await using rig = await Rig.create();
  const other = await rig.connect({
    directory: join(rig.directory, "other"),
    config: { ...TEST_CONFIG, label: "fargate" },
  });
  rig.server.assign(payloadTask("theirs"));
  await passUntil(rig.clock, () => rig.runtime.containers.size === 1);
  await other.stop();
  const spec = rig.runtime.containers.get("theirs-web");
  assert.ok(spec);
  await rig.runtime.create({ ...spec, id: "orphan", labels: { "gantry.agent": "ec2" } });
  await rig.connect();
  assert.deepEqual([...rig.runtime.containers.keys()], ["theirs-web"]);
});

test("a task whose image is not here stops with the way to load it", async () => {
  await using rig = await Rig.create();
  await rig.connect();
  const containers = [payloadContainer("web", { image: "absent" })];
  rig.server.assign(payloadTask("a1", { containers }));
  await passUntil(rig.clock, () => rig.server.reports.length === 1);
  const [report] = rig.server.reports;
  assert.equal(report?.status, "STOPPED");
  assert.match(
    report?.containers[0]?.reason ?? "",
    /^CannotPullContainerError: .*absent is not on this machine.*gantry image load/,
  );
});

test("what the runtime refuses is the container's reason", async () => {
  await using rig = await Rig.create({
    uncreatable: { createError: "no space" },
    unstartable: { startError: "exec: not found" },
    greedy: { runFor: 10, exitCode: 137, oomKilled: true },
  });
  await rig.connect();
  const reasons: unknown[] = [];
  for (const image of ["uncreatable", "unstartable", "greedy"]) {
    rig.server.assign(payloadTask(image, { containers: [payloadContainer("web", { image })] }));
    await passUntil(
      rig.clock,
      () =>
        rig.server.reports.at(-1)?.task.endsWith(image) === true &&
        rig.server.reports.at(-1)?.status === "STOPPED",
    );
    reasons.push(rig.server.reports.at(-1)?.containers.at(-1)?.reason);
  }
  assert.deepEqual(reasons, [
    "CannotCreateContainerError: no space",
    "CannotStartContainerError: exec: not found",
    OUT_OF_MEMORY_REASON,
  ]);
});

test("what this agent cannot do is refused by name, never run", async () => {
  await using rig = await Rig.create();
  await rig.connect();
  const health = payloadContainer("web", { healthCheckType: "docker" });
  rig.server.assign(payloadTask("a1", { containers: [health] }));
  rig.server.assign(payloadTask("a2", { networkMode: "bridge" }));
  await passUntil(rig.clock, () => rig.server.reports.length === 2);
  assert.deepEqual(rig.server.reports.map(({ reason }) => reason).toSorted(), [
    "CannotCreateContainerError: healthCheck is not supported by this agent yet",
    "ResourceInitializationError: network mode bridge is not supported by this agent yet",
  ]);
  assert.equal(rig.runtime.starts.size, 0);
});

test("a task that cannot be read is reported STOPPED and not acknowledged", async () => {
  await using rig = await Rig.create();
  await rig.connect();
  const messageId = rig.server.assign(payloadTask("a1", { containers: [] }));
  await passUntil(rig.clock, () => rig.server.reports.length === 1);
  assert.equal(
    rig.server.reports[0]?.reason,
    "UnrecogniedTaskError: Error loading task - the task has no containers",
  );
  assert.ok(!rig.server.acknowledged(messageId));
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

test("credentials are acknowledged, used for the logs, and never written down", async () => {
  await using rig = await Rig.create({ app: { output: "hello\n" } });
  rig.server.groups.add("/demo");
  const { stop } = await rig.connect();
  const credentials = (secret: string) => ({
    credentialsId: "c1",
    roleArn: "arn:aws:iam::123456789012:role/exec",
    accessKeyId: `KEY-${secret}`,
    secretAccessKey: secret,
    sessionToken: "token",
    expiration: "2026-01-01T01:00:00Z",
  });
  const containers = [
    payloadContainer("web", { hostConfig: awslogs("s"), logsAuthStrategy: "ExecutionRole" }),
  ];
  const task = payloadTask("a1", { containers });
  rig.server.assign({ ...task, executionRoleCredentials: credentials("hush-1") });
  await passUntil(rig.clock, () => rig.server.messages("/demo/s").length === 1);
  assert.deepEqual(
    rig.server.received.map(({ type }) => type).filter((type) => type !== "HeartbeatAckRequest"),
    ["IAMRoleCredentialsAckRequest", "AckRequest"],
  );
  const keyOf = (): string | undefined =>
    rig.server.calls.findLast(({ operation }) => operation === "PutLogEvents")?.credentials
      .accessKeyId;
  assert.equal(keyOf(), "KEY-hush-1");
  await stop();
  rig.runtime.write("a1-web", "after\n");
  await rig.connect();
  await pass(rig.clock, 5000);
  assert.equal(rig.server.messages("/demo/s").length, 1, "a new agent has no credentials yet");
  rig.server.send({
    type: "IAMRoleCredentialsMessage",
    message: {
      messageId: "m1",
      taskArn: task.arn,
      taskClusterArn: CLUSTER_ARN,
      roleType: "TaskExecution",
      roleCredentials: credentials("hush-2"),
    },
  });
  await passUntil(rig.clock, () => rig.server.messages("/demo/s").length === 2);
  assert.equal(keyOf(), "KEY-hush-2");
  for (const file of ["journal.sqlite", "journal.sqlite-wal"]) {
    const bytes = await readFile(join(rig.directory, file)).catch(() => Buffer.alloc(0));
    assert.ok(!bytes.includes("hush"), `${file} holds no secret`);
  }
});

test("output is shipped in order, without loss or repetition, also across a restart", async () => {
  await using rig = await Rig.create({ app: { output: "one\ntwo\n" } });
  rig.server.groups.add("/demo");
  const first = await rig.connect();
  const containers = [payloadContainer("web", { hostConfig: awslogs("s") })];
  rig.server.assign(payloadTask("a1", { containers }));
  await passUntil(rig.clock, () => rig.server.messages("/demo/s").length === 2);
  await first.stop();
  rig.runtime.write("a1-web", "three\nfo");
  await rig.connect();
  await passUntil(rig.clock, () => rig.server.messages("/demo/s").length === 3);
  rig.runtime.write("a1-web", "ur\nthe end");
  rig.runtime.exit("a1-web", 0);
  await passUntil(rig.clock, () => rig.server.reports.at(-1)?.status === "STOPPED");
  assert.deepEqual(rig.server.messages("/demo/s"), ["one", "two", "three", "four", "the end"]);
});

test("a missing log group fails the task in ECS's words, unless the group may be created", async () => {
  await using rig = await Rig.create({ app: { output: "hi\n" } });
  await rig.connect();
  const withLogs = (more: Record<string, string>) => [
    payloadContainer("web", { hostConfig: awslogs("s", more) }),
  ];
  rig.server.assign(payloadTask("a1", { containers: withLogs({}) }));
  await passUntil(rig.clock, () => rig.server.reports.length === 1);
  assert.match(
    rig.server.reports[0]?.reason ?? "",
    /^ResourceInitializationError: failed to validate logger args: .*The specified log group does not exist\.$/,
  );
  rig.server.assign(
    payloadTask("a2", { containers: withLogs({ "awslogs-create-group": "true" }) }),
  );
  await passUntil(rig.clock, () => rig.server.messages("/demo/s").length === 1);
});

test("reports survive a server that is away, and an agent's restart meanwhile", async () => {
  await using rig = await Rig.create({ app: { runFor: 100, exitCode: 4 } });
  const first = await rig.connect();
  rig.server.fail = (operation) =>
    operation === "SubmitTaskStateChange" ? new UnavailableError("no server") : undefined;
  rig.server.assign(payloadTask("a1"));
  await pass(rig.clock, 60_000);
  await first.stop();
  const second = rig.start();
  await pass(rig.clock, 60_000);
  rig.server.fail = () => undefined;
  await passUntil(rig.clock, () => second.agent.tasks().length === 0);
  assert.deepEqual(
    rig.server.reports.map(({ status }) => status),
    ["RUNNING", "STOPPED"],
  );
});

test("a report the server does not want is dropped", async () => {
  await using rig = await Rig.create({ app: { runFor: 100 } });
  const { agent } = await rig.connect();
  rig.server.fail = (operation) =>
    operation === "SubmitTaskStateChange"
      ? new ApiError("InvalidParameterException", "The referenced task was not found.")
      : undefined;
  rig.server.assign(payloadTask("a1"));
  await passUntil(rig.clock, () => rig.runtime.starts.size === 1);
  await passUntil(rig.clock, () => agent.tasks().length === 0);
  assert.deepEqual(rig.server.reports, []);
});

test("after the machine's restart a task that ran has ended; one that never did is started", async () => {
  await using rig = await Rig.create();
  const first = await rig.connect();
  rig.server.assign(payloadTask("ran"));
  await passUntil(rig.clock, () => rig.server.reports.length === 1);
  await first.stop();
  rig.runtime.restartMachine();
  await rig.connect();
  await passUntil(rig.clock, () => rig.server.reports.length === 2);
  assert.match(rig.server.reports[1]?.containers[0]?.reason ?? "", /^ContainerVanishedError/);
  assert.equal(rig.runtime.starts.get("ran-web"), 1);
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

test("a registration the server refuses for good ends the run, and leaves containers running", async () => {
  await using rig = await Rig.create();
  const first = await rig.connect();
  rig.server.assign(payloadTask("a1"));
  await passUntil(rig.clock, () => rig.server.reports.length === 1);
  await first.stop();
  rig.server.fail = (operation) =>
    operation === "RegisterContainerInstance"
      ? new ApiError("InvalidParameterException", "no")
      : undefined;
  const second = rig.start();
  await assert.rejects(second.ended, SetupError);
  assert.equal(rig.runtime.containers.size, 1);
});

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { UnavailableError } from "../lib/errors.ts";
import { CLUSTER_ARN } from "./testing/fake-server.fixture.ts";
import { awslogs, payloadContainer, payloadTask, Rig } from "./testing/rig.fixture.ts";
import { pass, passUntil } from "./testing/time.fixture.ts";

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

test("what a container wrote that nobody knows to have run is shipped", async () => {
  await using rig = await Rig.create({ app: { output: "one\n" } });
  rig.server.groups.add("/demo");
  const { runtime } = rig;
  const start = async (id: string): Promise<void> => {
    await runtime.start(id);
    await new Promise<never>(() => undefined);
  };
  const first = await rig.connect({ runtime: { ...runtime, start } });
  const containers = [payloadContainer("web", { hostConfig: awslogs("s") })];
  rig.server.assign(payloadTask("a1", { containers }));
  await passUntil(rig.clock, () => runtime.starts.get("a1-web") === 1);
  await first.stop();
  // The power fails, and with it goes what the engine had written down of the start.
  runtime.restartMachine();
  const create = (): Promise<never> => Promise.reject(new UnavailableError("no engine"));
  await rig.connect({ runtime: { ...runtime, create } });
  rig.server.assign(payloadTask("a1", { containers, desiredStatus: "STOPPED" }));
  await passUntil(rig.clock, () => rig.server.reports.at(-1)?.status === "STOPPED");
  assert.deepEqual(rig.server.messages("/demo/s"), ["one"]);
});

test("a log option that is a secret is refused by name", async () => {
  await using rig = await Rig.create({ app: {} });
  rig.server.groups.add("/demo");
  await rig.connect();
  const secrets = [
    {
      name: "splunk-token",
      valueFrom: "arn:aws:secretsmanager:us-east-1:123456789012:secret:token-AbCdEf",
      region: "us-east-1",
      provider: "asm" as const,
      type: "BOOTSTRAP" as const,
      target: "LOG_DRIVER" as const,
    },
  ];
  const containers = [payloadContainer("web", { hostConfig: awslogs("s"), secrets })];
  rig.server.assign(payloadTask("a1", { containers }));
  await passUntil(rig.clock, () => rig.server.reports.length === 1);
  assert.match(rig.server.reports[0]?.reason ?? "", /log option splunk-token as a secret/);
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

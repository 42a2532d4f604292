import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { ApiError, SetupError, UnavailableError } from "../lib/errors.ts";
import { createLog } from "../lib/log.ts";
import { INSTANCE_ARN } from "./testing/fake-server.fixture.ts";
import { payloadTask, Rig, TEST_CONFIG } from "./testing/rig.fixture.ts";
import { pass, passUntil } from "./testing/time.fixture.ts";

test("a payload that comes again after the task's end starts nothing, and is told of the end again", async () => {
  await using rig = await Rig.create({ app: { runFor: 100 } });
  const { agent } = await rig.connect();
  rig.server.assign(payloadTask("a1"));
  await passUntil(rig.clock, () => rig.server.reports.length === 2 && agent.tasks().length === 0);
  const again = rig.server.assign(payloadTask("a1"));
  await passUntil(rig.clock, () => rig.server.acknowledged(again));
  await pass(rig.clock, 5000);
  assert.equal(rig.runtime.starts.get("a1-web"), 1);
  assert.deepEqual(
    rig.server.reports.map(({ status }) => status),
    ["RUNNING", "STOPPED", "STOPPED"],
  );
  assert.deepEqual(agent.tasks(), []);
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

test("reports survive a server that is away, and an agent's restart meanwhile", async () => {
  await using rig = await Rig.create({ app: { runFor: 100, exitCode: 4 } });
  const first = await rig.connect();
  rig.server.fail = (operation) =>
    operation === "SubmitTaskStateChange" ? new UnavailableError("no server") : undefined;
  rig.server.assign(payloadTask("a1"));
  await pass(rig.clock, 60_000);
  await first.stop();
  const troubles: string[] = [];
  const write = (line: string): number => troubles.push(line);
  const second = rig.start({ log: createLog({ clock: rig.clock, level: "error", write }) });
  await pass(rig.clock, 60_000);
  rig.server.fail = () => undefined;
  await passUntil(rig.clock, () => second.agent.tasks().length === 0);
  assert.deepEqual(troubles, [], "output that is shipped and removed is missed by nobody");
  assert.deepEqual(
    rig.server.reports.map(({ status }) => status),
    ["RUNNING", "STOPPED"],
  );
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

test("an agent whose instance went out of service by its silence alone registers it again", async () => {
  await using rig = await Rig.create();
  await rig.connect({ config: { ...TEST_CONFIG, comesBack: true } });
  let refusals = 1;
  rig.server.fail = (operation) =>
    operation === "dial" && refusals-- > 0 ? new Error("InactiveInstanceException") : undefined;
  rig.server.socket?.close(1001, "it was away for a day");
  await passUntil(rig.clock, () => rig.server.dialled.length === 3);
  const arns = rig.server.calls
    .filter(({ operation }) => operation === "RegisterContainerInstance")
    .map(({ input }) => input.containerInstanceArn);
  assert.deepEqual(arns, [undefined, INSTANCE_ARN]);
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

import assert from "node:assert/strict";
import { test } from "node:test";
import { buildInstance } from "../model/instance.fixture.ts";
import { requestStop } from "../model/request-stop.ts";
import { buildTask } from "../model/task.fixture.ts";
import type { Task } from "../model/task.ts";
import {
  acknowledge,
  acknowledgeCredentials,
  all,
  CLUSTER_ARN,
  INSTANCE_ARN,
  only,
  openAgentWorld,
  payloads,
  say,
  toldTasks,
  typesOf,
} from "./agent-world.fixture.ts";
import { settle, writeInstance, writeTask } from "./control.fixture.ts";

const TASK_ARN = "arn:aws:ecs:us-east-1:111111111111:task/demo/11111111111111111111111111111111";
const EXECUTION_ROLE = "arn:aws:iam::111111111111:role/service-role/exec";

test("an instance is connected while its agent is, and shows the agent's versions", async () => {
  await using world = await openAgentWorld({ agentConnected: false });
  const agent = await world.connect();
  const { agentConnected, versionInfo } = world.instance(buildInstance());
  assert.equal(agentConnected, true);
  assert.deepEqual(versionInfo, {
    agentVersion: "1.105.1",
    agentHash: "a8b3e7d3",
    dockerVersion: "DockerVersion: 20.10.24",
  });
  agent.close(1006);
  await settle();
  assert.equal(world.instance(buildInstance()).agentConnected, false);
});

test("a server that starts takes no instance for connected", async () => {
  await using world = await openAgentWorld({ agentConnected: true });
  assert.equal(world.instance(buildInstance()).agentConnected, false);
});

test("a task is told once, to the instance it was placed on, as soon as it is PENDING", async () => {
  await using world = await openAgentWorld();
  const agent = await world.connect();
  await world.put(writeTask(buildTask({ lastStatus: "PROVISIONING" })));
  assert.deepEqual(payloads(agent), []);
  await world.put(writeTask(buildTask()));
  await world.put(writeTask(buildTask({ startedBy: "me" })));
  const [payload, ...others] = payloads(agent);
  assert.deepEqual(others, []);
  assert.equal(payload?.clusterArn, CLUSTER_ARN);
  assert.equal(payload?.containerInstanceArn, INSTANCE_ARN);
  assert.deepEqual(
    payload?.tasks.map(({ arn, desiredStatus }) => [arn, desiredStatus]),
    [[TASK_ARN, "RUNNING"]],
  );
});

test("what was not acknowledged is told again on the next connection, the rest is not", async () => {
  await using world = await openAgentWorld();
  const first = await world.connect();
  const other = buildTask({ id: "33333333333333333333333333333333" });
  await world.put(writeTask(buildTask()), writeTask(other));
  acknowledge(first, payloads(first)[0]?.messageId);
  await settle();
  first.close(1000);
  const second = await world.connect({ sendCredentials: "false" });
  assert.deepEqual(toldTasks(second), [`${TASK_ARN.slice(0, -32)}${other.id}`]);
});

test("a payload that stays unacknowledged is told again after a minute", async () => {
  await using world = await openAgentWorld();
  const agent = await world.connect();
  await world.put(writeTask(buildTask()));
  await world.answerHeartbeatsFor(agent, 80_000);
  assert.deepEqual(toldTasks(agent), [TASK_ARN, TASK_ARN]);
});

test("no more than 32 payloads are on their way, and each acknowledgement brings the next", async () => {
  await using world = await openAgentWorld();
  const agent = await world.connect();
  const tasks = Array.from({ length: 40 }, (_, index) =>
    buildTask({ id: index.toString(16).padStart(32, "0") }),
  );
  await world.put(...tasks.map(writeTask));
  assert.equal(payloads(agent).length, 32);
  for (const { messageId } of payloads(agent)) acknowledge(agent, messageId);
  await settle();
  assert.equal(new Set(toldTasks(agent)).size, 40);
});

test("a task that cannot be told does not hold up the others", async () => {
  await using world = await openAgentWorld();
  const agent = await world.connect();
  const lost = buildTask({ id: "00000000000000000000000000000000", family: "gone" });
  await world.put(writeTask(lost), writeTask(buildTask()));
  assert.deepEqual(toldTasks(agent), [TASK_ARN]);
});

test("a stop is told, and the task is STOPPING", async () => {
  await using world = await openAgentWorld();
  const agent = await world.connect();
  await world.put(writeTask(buildTask()));
  acknowledge(agent, payloads(agent)[0]?.messageId);
  await world.put(writeTask(buildTask({ lastStatus: "RUNNING" })));
  await world.put(writeTask(stopped(world.task(buildTask()))));
  await settle();
  assert.deepEqual(
    payloads(agent).map(({ tasks }) => tasks[0]?.desiredStatus),
    ["RUNNING", "STOPPED"],
  );
  assert.equal(world.task(buildTask()).lastStatus, "STOPPING");
});

test("a manifest is above all that was sent before, also by the server before; payloads' numbers have 32 bits", async () => {
  await using world = await openAgentWorld();
  const first = await world.connect();
  await world.put(writeTask(buildTask()));
  const { dispatcher } = world.startDispatcher();
  await world.clock.advance(10);
  const second = await world.connect({}, dispatcher);
  let greatest = 0;
  for (const { type, message } of [...first.received, ...second.received]) {
    if (type === "PayloadMessage") {
      assert.ok(message.seqNum > 0 && message.seqNum < 2 ** 31);
      greatest = Math.max(greatest, message.seqNum);
    } else if (type === "TaskManifestMessage") {
      assert.ok(message.timeline > greatest);
      greatest = message.timeline;
    }
  }
  assert.equal(second.received.filter(({ type }) => type === "TaskManifestMessage").length, 1);
});

test("an agent that has seen greater numbers, by a clock that was set back since, is sent its manifest until it takes it", async () => {
  await using world = await openAgentWorld();
  const seen = world.clock.now() + 10 * 3_600_000;
  const agent = await world.connect();
  const manifests = (): ReturnType<typeof all<"TaskManifestMessage">> =>
    all(agent, "TaskManifestMessage");
  for (let minutes = 0; minutes < 10 && (manifests().at(-1)?.timeline ?? 0) <= seen; minutes++) {
    await world.answerHeartbeatsFor(agent, 60_000);
  }
  const taken = manifests().at(-1);
  assert.ok(taken && taken.timeline > seen);
  acknowledge(agent, taken.messageId);
  const { length } = manifests();
  await world.answerHeartbeatsFor(agent, 600_000);
  assert.equal(manifests().length, length);
});

test("a manifest lists the tasks of the instance, and the agent may stop only what it should not run", async () => {
  await using world = await openAgentWorld();
  const elsewhere = buildTask({
    id: "44444444444444444444444444444444",
    placement: {
      ...buildTask().placement,
      instance: { ...buildTask().placement.instance, id: "55555555555555555555555555555555" },
    },
  });
  const ended = buildTask({ id: "66666666666666666666666666666666", lastStatus: "STOPPED" });
  await world.put(writeTask(buildTask()), writeTask(elsewhere), writeTask(ended));
  const agent = await world.connect();
  const manifest = only(agent, "TaskManifestMessage");
  assert.deepEqual(manifest.tasks, [
    { taskArn: TASK_ARN, taskClusterArn: CLUSTER_ARN, desiredStatus: "RUNNING" },
  ]);
  const unknown = arnOf("77777777777777777777777777777777");
  const candidates = [TASK_ARN, arnOf(elsewhere.id), arnOf(ended.id), unknown, "nonsense"];
  say(agent, "TaskStopVerificationMessage", {
    messageId: manifest.messageId,
    stopCandidates: candidates.map((taskArn) => ({
      taskArn,
      taskClusterArn: CLUSTER_ARN,
      desiredStatus: "STOPPED",
    })),
  });
  await settle();
  const answer = only(agent, "TaskStopVerificationAck");
  assert.equal(answer.messageId, manifest.messageId);
  assert.deepEqual(
    answer.stopTasks.map(({ taskArn }) => taskArn),
    [arnOf(elsewhere.id), arnOf(ended.id), unknown],
  );
});

test("a new agent process gets the credentials of running tasks at once, a reconnecting one does not", async () => {
  await using world = await openAgentWorld();
  await world.put(
    writeTask(buildTask({ lastStatus: "RUNNING", executionRoleArn: EXECUTION_ROLE })),
  );
  const first = await world.connect({ agentHash: "gantry" });
  const { messageId: _, ...message } = only(first, "IAMRoleCredentialsMessage");
  const given = {
    credentialsId: `id of ${TASK_ARN}/TaskExecution`,
    roleArn: EXECUTION_ROLE,
    accessKeyId: "ASIA1",
    secretAccessKey: "secret1",
    sessionToken: "token1",
    expiration: "2026-01-01T06:00:00Z",
  };
  assert.deepEqual(message, {
    taskArn: TASK_ARN,
    taskClusterArn: CLUSTER_ARN,
    roleType: "TaskExecution",
    roleCredentials: given,
  });
  assert.deepEqual(payloads(first)[0]?.tasks[0]?.executionRoleCredentials, given);
  assert.deepEqual(world.minted, [
    {
      principal: {
        accountId: "111111111111",
        arn: "arn:aws:sts::111111111111:assumed-role/exec/11111111111111111111111111111111",
        kind: "role-session",
        userId: "AROAEXEC:11111111111111111111111111111111",
        session: {
          issuedAt: world.clock.now(),
          roleArn: EXECUTION_ROLE,
          task: { key: writeTask(buildTask()).key, graceMs: 600_000 },
        },
      },
      durationSeconds: 6 * 3600,
    },
  ]);
  acknowledgeCredentials(first, given);
  acknowledge(first, payloads(first)[0]?.messageId);
  await settle();
  first.close(1000);
  const second = await world.connect({ agentHash: "gantry", sendCredentials: "false" });
  assert.deepEqual(typesOf(second), ["TaskManifestMessage"]);
  second.close(1006);
  const third = await world.connect({ agentHash: "gantry" });
  assert.equal(only(third, "IAMRoleCredentialsMessage").roleType, "TaskExecution");
  assert.deepEqual(toldTasks(third), [TASK_ARN]);
});

test("a task that AWS's agent has reported or acknowledged is told to none of its later processes", async () => {
  await using world = await openAgentWorld();
  const [reported, acknowledged, unknown] = ["1".repeat(32), "2".repeat(32), "3".repeat(32)];
  const pulling = buildTask({ id: "4".repeat(32) });
  const containers = pulling.containers.map((one) => ({ ...one, imageDigest: "sha256:0" }));
  await world.put(
    writeTask(buildTask({ id: reported, lastStatus: "RUNNING" })),
    writeTask({ ...pulling, containers }),
    writeTask(buildTask({ id: acknowledged })),
  );
  const first = await world.connect();
  assert.deepEqual(toldTasks(first), [arnOf(acknowledged)]);
  acknowledge(first, payloads(first)[0]?.messageId);
  await settle();
  first.close(1006);
  await world.put(writeTask(buildTask({ id: unknown })));
  const second = await world.connect();
  assert.deepEqual(toldTasks(second), [arnOf(unknown)]);
});

test("credentials that were lost with their connection are sent again on the next", async () => {
  await using world = await openAgentWorld();
  await world.put(writeTask(buildTask({ lastStatus: "RUNNING", taskRoleArn: EXECUTION_ROLE })));
  const first = await world.connect();
  const { roleCredentials } = only(first, "IAMRoleCredentialsMessage");
  first.close(1006);
  const second = await world.connect({ sendCredentials: "false" });
  assert.deepEqual(only(second, "IAMRoleCredentialsMessage").roleCredentials, roleCredentials);
});

test("a payload carries credentials, and they are renewed under the same id before they end", async () => {
  await using world = await openAgentWorld();
  const agent = await world.connect();
  await world.put(writeTask(buildTask({ executionRoleArn: EXECUTION_ROLE })));
  const given = payloads(agent)[0]?.tasks[0]?.executionRoleCredentials;
  assert.ok(given);
  acknowledgeCredentials(agent, given);
  acknowledge(agent, payloads(agent)[0]?.messageId);
  await world.answerHeartbeatsFor(agent, (5 * 60 + 40) * 60_000);
  assert.equal(typesOf(agent).includes("IAMRoleCredentialsMessage"), false);
  await world.answerHeartbeatsFor(agent, 5 * 60_000 + 30_000);
  const { roleCredentials } = only(agent, "IAMRoleCredentialsMessage");
  assert.equal(roleCredentials.credentialsId, given.credentialsId);
  assert.equal(roleCredentials.accessKeyId, "ASIA2");
  assert.ok(roleCredentials.expiration > given.expiration);
});

test("an agent that leaves heartbeats unanswered for 100 seconds is gone", async () => {
  await using world = await openAgentWorld();
  const agent = await world.connect();
  await world.answerHeartbeatsFor(agent, 200_000);
  assert.equal(world.instance(buildInstance()).agentConnected, true);
  await world.clock.advance(110_000);
  await settle();
  assert.equal(agent.closed?.code, 1001);
  assert.equal(world.instance(buildInstance()).agentConnected, false);
});

test("a newer connection takes the place of the older one, and the instance stays connected", async () => {
  await using world = await openAgentWorld();
  const first = await world.connect();
  const second = await world.connect();
  assert.equal(first.closed?.code, 1000);
  assert.equal(second.closed, undefined);
  assert.equal(world.instance(buildInstance()).agentConnected, true);
});

test("an agent that does not read is closed before it fills our memory", async () => {
  await using world = await openAgentWorld();
  const agent = await world.connect();
  agent.stall(9 * 2 ** 20);
  await world.put(writeTask(buildTask()));
  assert.equal(agent.closed?.code, 1001);
});

test("an instance that is deregistered loses its connection and is refused from then on", async () => {
  await using world = await openAgentWorld();
  const agent = await world.connect();
  await world.put(writeInstance({ status: "INACTIVE" }));
  assert.equal(agent.closed?.code, 1000);
  const decision = await world.open();
  assert.deepEqual("refuse" in decision && JSON.parse(decision.refuse.body), {
    type: "InactiveInstanceException",
    message: { message: "The container instance is deregistered." },
  });
});

function arnOf(id: string): string {
  return `${TASK_ARN.slice(0, -32)}${id}`;
}

function stopped(task: Task): Task {
  return requestStop(task, { stopCode: "UserInitiated", reason: "bye", now: 1 });
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { runController } from "../../store/controller.ts";
import { requestStop } from "../model/request-stop.ts";
import { buildTask } from "../model/task.fixture.ts";
import type { Task } from "../model/task.ts";
import { all, openAgentWorld } from "./agent-world.fixture.ts";
import { writeTask } from "./control.fixture.ts";
import { createInstancesController } from "./instances.ts";
import { confirmStop, findUnconfirmedStop } from "./unconfirmed-stops.ts";

const MINUTE_MS = 60_000;
const ROLES = {
  taskRoleArn: "arn:aws:iam::111111111111:role/app",
  executionRoleArn: "arn:aws:iam::111111111111:role/service-role/exec",
};

test("a new agent process gets the credentials of tasks that are ending, and the execution role's of what has just ended", async () => {
  await using world = await openAgentWorld();
  const now = world.clock.now();
  const stopping = ended({ id: "1".repeat(32), lastStatus: "STOPPING", ...ROLES });
  const recent = ended({
    id: "2".repeat(32),
    lastStatus: "STOPPED",
    stoppedAt: now - MINUTE_MS,
    ...ROLES,
  });
  const old = ended({
    id: "3".repeat(32),
    lastStatus: "STOPPED",
    stoppedAt: now - 11 * MINUTE_MS,
    ...ROLES,
  });
  // By a clock that has been set back since.
  const ahead = ended({
    id: "5".repeat(32),
    lastStatus: "STOPPED",
    stoppedAt: now + 130 * MINUTE_MS,
    ...ROLES,
  });
  const withoutRole = ended({ id: "4".repeat(32), lastStatus: "STOPPED", stoppedAt: now });
  await world.put(...[stopping, recent, old, ahead, withoutRole].map(writeTask));
  const agent = await world.connect();
  const sent = all(agent, "IAMRoleCredentialsMessage").map(
    ({ taskArn, roleType, roleCredentials }) => [
      taskArn.slice(-32),
      roleType,
      roleCredentials.roleArn,
    ],
  );
  assert.deepEqual(sent.toSorted(), [
    [stopping.id, "TaskApplication", ROLES.taskRoleArn],
    [stopping.id, "TaskExecution", ROLES.executionRoleArn],
    [recent.id, "TaskExecution", ROLES.executionRoleArn],
    [ahead.id, "TaskExecution", ROLES.executionRoleArn],
  ]);
});

test("a machine that was away for an hour gets the execution role's credentials of the tasks that were lost, and a new process also of what it has confirmed since", async () => {
  await using world = await openAgentWorld({ agentConnected: false, disconnectedAt: 0 });
  const task = buildTask({ lastStatus: "RUNNING", ...ROLES });
  const limits = { lossAfterMs: MINUTE_MS, retentionMs: 24 * 60 * MINUTE_MS };
  world.run((signal) => runController(createInstancesController(world, limits), world, signal));
  await world.put(writeTask(task));
  await world.clock.advance(60 * MINUTE_MS);
  assert.equal(world.task(task).lastStatus, "STOPPED");
  const sent = async (query: Record<string, string>): Promise<readonly string[]> => {
    const agent = await world.connect(query);
    return all(agent, "IAMRoleCredentialsMessage").map(({ roleType }) => roleType);
  };
  const sameProcess = { sendCredentials: "false" };
  assert.deepEqual(await sent(sameProcess), ["TaskExecution"]);
  const stop = findUnconfirmedStop(world, task);
  assert.ok(stop);
  await confirmStop(world, stop);
  assert.deepEqual(await sent(sameProcess), []);
  assert.deepEqual(await sent({}), ["TaskExecution"]);
  await world.clock.advance(11 * MINUTE_MS);
  assert.deepEqual(await sent({}), []);
});

test("an agent that merely reconnects has them already", async () => {
  await using world = await openAgentWorld();
  await world.put(writeTask(ended({ lastStatus: "STOPPING", ...ROLES })));
  const agent = await world.connect({ sendCredentials: "false" });
  assert.deepEqual(all(agent, "IAMRoleCredentialsMessage"), []);
});

function ended(overrides: Partial<Task>): Task {
  return requestStop(buildTask(overrides), { stopCode: "UserInitiated", reason: "bye", now: 1 });
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { writeRole } from "../../iam/model/role.fixture.ts";
import { buildTask } from "../model/task.fixture.ts";
import {
  acknowledge,
  acknowledgeCredentials,
  all,
  openAgentWorld,
  payloads,
} from "./agent-world.fixture.ts";
import { settle, writeTask } from "./control.fixture.ts";

const taskRoleArn = "arn:aws:iam::111111111111:role/app";
const lost = { key: writeRole({ roleName: "app" }).key, value: undefined };

test("a task whose role is deleted before it starts does not start, and says why", async () => {
  await using world = await openAgentWorld();
  await world.put(lost);
  const task = buildTask({ taskRoleArn });
  await world.put(writeTask(task));
  const agent = await world.connect();
  await settle();
  const { desiredStatus, stopCode, stoppedReason } = world.task(task);
  assert.deepEqual([desiredStatus, stopCode], ["STOPPED", "TaskFailedToStart"]);
  assert.match(stoppedReason ?? "", /^ECS was unable to assume the role '\S+role\/app' that was/);
  assert.deepEqual(
    payloads(agent).map(({ tasks }) => tasks[0]?.desiredStatus),
    ["STOPPED"],
  );
});

test("a task whose role is deleted while it runs runs on: its credentials are not renewed", async () => {
  await using world = await openAgentWorld();
  const agent = await world.connect();
  const task = buildTask({ taskRoleArn });
  await world.put(writeTask(task));
  const given = payloads(agent)[0]?.tasks[0]?.roleCredentials;
  assert.ok(given);
  acknowledgeCredentials(agent, given);
  acknowledge(agent, payloads(agent)[0]?.messageId);
  await world.put(writeTask({ ...task, lastStatus: "RUNNING" }), lost);
  await world.answerHeartbeatsFor(agent, 7 * 3600_000);
  assert.deepEqual(all(agent, "IAMRoleCredentialsMessage"), []);
  assert.equal(world.minted.length, 1);
  assert.equal(world.task(task).desiredStatus, "RUNNING");
  await world.put(writeRole({ roleName: "app" }));
  await world.answerHeartbeatsFor(agent, 60_000);
  assert.equal(all(agent, "IAMRoleCredentialsMessage").length, 1, "the role is back");
});

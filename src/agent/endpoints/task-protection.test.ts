import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, UnavailableError } from "../../lib/errors.ts";
import { CLUSTER_ARN } from "../testing/fake-server.fixture.ts";
import { type EndpointRig, openEndpointRig, pathOf, TASK_ROLE } from "./endpoint-rig.fixture.ts";

const TASK_ARN = "arn:aws:ecs:eu-west-1:123456789012:task/default/a1";

async function openTask(roleCredentials = TASK_ROLE): Promise<EndpointRig & { path: string }> {
  const world = await openEndpointRig();
  await world.run("a1", { roleCredentials });
  const path = `${pathOf(world.variable("a1-web", "ECS_AGENT_URI"))}/task-protection/v1/state`;
  return Object.assign(world, { path });
}

test("PUT changes the task's protection in the name of its role", async () => {
  await using world = await openTask();
  world.rig.server.protection = {
    protectedTasks: [{ taskArn: TASK_ARN, protectionEnabled: true, expirationDate: 1_767_229_200 }],
    failures: [],
  };
  const body = JSON.stringify({ ProtectionEnabled: true, ExpiresInMinutes: 60 });
  const answer = await world.ask(world.path, { method: "PUT", body });
  assert.deepEqual(answer, {
    status: 200,
    body: {
      protection: {
        ExpirationDate: "2026-01-01T01:00:00Z",
        ProtectionEnabled: true,
        TaskArn: TASK_ARN,
      },
    },
  });
  const call = world.rig.server.calls.at(-1);
  assert.equal(call?.operation, "UpdateTaskProtection");
  assert.deepEqual(call?.input, {
    cluster: CLUSTER_ARN,
    tasks: [TASK_ARN],
    protectionEnabled: true,
    expiresInMinutes: 60,
  });
  assert.equal(call?.credentials.accessKeyId, TASK_ROLE.accessKeyId);
  assert.equal(call?.credentials.sessionToken, TASK_ROLE.sessionToken);
});

test("members may be written in any case, as the ECS agent takes them", async () => {
  await using world = await openTask();
  world.rig.server.protection = {
    protectedTasks: [{ taskArn: TASK_ARN, protectionEnabled: true }],
    failures: [],
  };
  const body = JSON.stringify({ protectionEnabled: true, expiresInMinutes: 5 });
  assert.equal((await world.ask(world.path, { method: "PUT", body })).status, 200);
  const input = world.rig.server.calls.at(-1)?.input as Record<string, unknown>;
  assert.deepEqual([input.protectionEnabled, input.expiresInMinutes], [true, 5]);
});

test("GET reads it; a failure of the API is answered as one", async () => {
  await using world = await openTask();
  world.rig.server.protection = {
    protectedTasks: [],
    failures: [{ arn: TASK_ARN, reason: "TASK_NOT_VALID", detail: "not a service's" }],
  };
  assert.deepEqual(await world.ask(world.path), {
    status: 200,
    body: { failure: { Arn: TASK_ARN, Reason: "TASK_NOT_VALID", Detail: "not a service's" } },
  });
  assert.equal(world.rig.server.calls.at(-1)?.operation, "GetTaskProtection");
});

test("an error of the API keeps its code and status", async () => {
  await using world = await openTask();
  const codeOf = async (failure: Error): Promise<unknown[]> => {
    world.rig.server.fail = (operation) =>
      operation === "GetTaskProtection" ? failure : undefined;
    const { status, body } = await world.ask(world.path);
    const { Arn, Code } = (body as { error: { Arn: string; Code: string } }).error;
    return [status, Arn, Code];
  };
  const denied = new ApiError("AccessDeniedException", "no", { status: 400 });
  assert.deepEqual(await codeOf(denied), [400, TASK_ARN, "AccessDeniedException"]);
  const away = new UnavailableError("connect ECONNREFUSED");
  assert.deepEqual(await codeOf(away), [500, TASK_ARN, "ServerException"]);
  const late = new DOMException("The operation was aborted due to timeout", "TimeoutError");
  assert.deepEqual(await codeOf(late), [504, TASK_ARN, "RequestCanceled"]);
});

test("a task without a role has no protection to change", async () => {
  await using world = await openEndpointRig();
  await world.run("a1");
  const path = `${pathOf(world.variable("a1-web", "ECS_AGENT_URI"))}/task-protection/v1/state`;
  const { status, body } = await world.ask(path);
  assert.equal(status, 403);
  assert.equal((body as { error: { Code: string } }).error.Code, "AccessDeniedException");
});

test("a body that is not what it should be is named", async () => {
  await using world = await openTask();
  const cases: Readonly<Record<string, RegExp>> = {
    "": /not JSON/,
    "[]": /not a JSON object/,
    "{}": /ProtectionEnabled/,
    '{"ProtectionEnabled":"yes"}': /ProtectionEnabled/,
    '{"ProtectionEnabled":true,"ExpiresInMinutes":1.5}': /ExpiresInMinutes/,
    '{"ProtectionEnabled":true,"Expires":1}': /unknown member Expires/,
  };
  for (const [body, message] of Object.entries(cases)) {
    const answer = await world.ask(world.path, { method: "PUT", body });
    assert.equal(answer.status, 400, body);
    assert.match((answer.body as { error: { Message: string } }).error.Message, message);
  }
});

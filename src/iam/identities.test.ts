import assert from "node:assert/strict";
import { test } from "node:test";
import type { Identity } from "../door/authorize.ts";
import type { Principal } from "../door/service.ts";
import { taskKey } from "../ecs/model/keys.ts";
import { buildTask } from "../ecs/model/task.fixture.ts";
import { ACCOUNT, startIam } from "./iam.fixture.ts";
import { createFindIdentity } from "./identities.ts";
import { accessKeyKey } from "./model/access-key.ts";
import { userKey } from "./model/keys.ts";
import type { User } from "./model/records.ts";
import { writeRole } from "./model/role.fixture.ts";

const SESSION: Principal = {
  accountId: ACCOUNT,
  arn: `arn:aws:sts::${ACCOUNT}:assumed-role/app/1`,
  accessKeyId: "ASIA1",
  kind: "role-session",
  userId: "AROAAPP:1",
  session: { issuedAt: 1, roleArn: `arn:aws:iam::${ACCOUNT}:role/path/app` },
};

function opening(principal: Principal): {
  openSession(): Identity;
} {
  return { openSession: () => ({ principal, secretAccessKey: "secret" }) };
}

test("a user's key is the user's, with the user's id, while the user is there", async (t) => {
  const { deps, write } = await startIam(t);
  const find = createFindIdentity({ ...deps, sessions: { openSession: () => undefined } });
  const arn = `arn:aws:iam::${ACCOUNT}:user/path/ada`;
  const key = { key: accessKeyKey("AKIA1"), value: keyOf(arn) };
  await write(key);
  assert.equal(find("AKIA1", undefined), undefined, "no such user");
  const user: User = {
    accountId: ACCOUNT,
    userName: "ada",
    userId: "AIDAADA",
    path: "/path/",
    groupIds: [],
    inlinePolicies: [],
    attachedPolicyArns: [],
    tags: {},
    createdAt: 1,
  };
  await write({ key: userKey(ACCOUNT, "ada"), value: user });
  const identity = find("AKIA1", undefined);
  assert.ok(typeof identity === "object");
  assert.deepEqual(identity.principal, {
    accountId: ACCOUNT,
    arn,
    accessKeyId: "AKIA1",
    kind: "user",
    userId: "AIDAADA",
  });
  await write({ ...key, value: { ...keyOf(arn), status: "Inactive" } });
  assert.equal(find("AKIA1", undefined), undefined);
  await write(key, { key: userKey(ACCOUNT, "ada"), value: { ...user, userId: "AIDANEW" } });
  assert.equal(find("AKIA1", undefined), undefined, "another user of that name");
});

test("a role's session is somebody while the role is there", async (t) => {
  const { deps, write } = await startIam(t);
  const find = createFindIdentity({ ...deps, sessions: opening(SESSION) });
  assert.equal(find("ASIA1", "token"), undefined);
  await write(writeRole({ path: "/path/", roleId: "AROAAPP" }));
  assert.ok(typeof find("ASIA1", "token") === "object");
  await write(writeRole({ path: "/path/", roleId: "AROANEW" }));
  assert.equal(find("ASIA1", "token"), undefined);
});

test("the sessions of a task end with it, that of the execution role some time later", async (t) => {
  const { deps, clock, write } = await startIam(t);
  const task = buildTask({ lastStatus: "RUNNING" });
  const key = taskKey(task, task.clusterName, task.id);
  const find = (graceMs: number) =>
    createFindIdentity({
      ...deps,
      sessions: opening({
        ...SESSION,
        session: { issuedAt: 1, roleArn: SESSION.session?.roleArn ?? "", task: { key, graceMs } },
      }),
    })("ASIA1", "token");
  await write(writeRole({ path: "/path/" }), { key, value: task });
  assert.ok(typeof find(0) === "object");
  const stopped = { ...task, lastStatus: "STOPPED", stoppedAt: clock.now() };
  await write({ key, value: stopped });
  assert.equal(find(0), "expired");
  assert.ok(typeof find(60_000) === "object");
  await clock.advance(60_000);
  assert.equal(find(60_000), "expired");
  await write({ key, value: { ...stopped, isUnconfirmed: true } });
  assert.equal(find(0), "expired");
  assert.ok(typeof find(60_000) === "object", "its machine has it yet to end");
  await write({ key, value: { ...stopped, confirmedAt: clock.now() } });
  assert.ok(typeof find(60_000) === "object");
  await clock.advance(60_000);
  assert.equal(find(60_000), "expired");
  await write({ key, value: undefined });
  assert.equal(find(600_000), "expired", "nobody remembers the task");
});

function keyOf(principalArn: string): object {
  return {
    accessKeyId: "AKIA1",
    secretAccessKey: "secret",
    accountId: ACCOUNT,
    principalArn,
    kind: "user",
    userId: "AIDAADA",
    status: "Active",
    createdAt: 1,
  };
}

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ACCOUNT } from "../iam.fixture.ts";
import { createFindIdentity } from "../identities.ts";
import { callOfUser, type IamApi, startApi } from "./api.fixture.ts";

describe("access keys of users", () => {
  test("sign as the user from the first moment, until they are switched off or deleted", async (t) => {
    const api = await startApi(t);
    const { run } = api;
    const find = findIdentity(api);
    const { User } = await run("CreateUser", { UserName: "ada" });
    const { AccessKey: key } = await run("CreateAccessKey", { UserName: "ada" });
    const id = key?.AccessKeyId ?? "";
    assert.match(id, /^AKIA[A-Z2-7]{16}$/);
    const identity = find(id);
    assert.ok(identity !== undefined && identity !== "expired");
    assert.equal(identity.secretAccessKey, key?.SecretAccessKey);
    assert.equal(identity.principal.arn, User?.Arn);
    assert.equal(identity.principal.kind, "user");

    await run("UpdateAccessKey", { UserName: "ada", AccessKeyId: id, Status: "Inactive" });
    assert.equal(find(id), undefined);
    await run("UpdateAccessKey", { UserName: "ada", AccessKeyId: id, Status: "Active" });
    assert.ok(find(id));
    await run("DeleteAccessKey", { UserName: "ada", AccessKeyId: id });
    assert.equal(find(id), undefined);
  });

  test("are two at most, however many are asked for at once", async (t) => {
    const { run } = await startApi(t);
    await run("CreateUser", { UserName: "ada" });
    const results = await Promise.allSettled(
      Array.from({ length: 6 }, () => run("CreateAccessKey", { UserName: "ada" })),
    );
    const refused = results.flatMap((each) => (each.status === "rejected" ? [each.reason] : []));
    assert.equal(results.length - refused.length, 2);
    for (const { code, message } of refused) {
      assert.equal(code, "LimitExceededException");
      assert.equal(message, "Cannot exceed quota for AccessKeysPerUser: 2");
    }
    const { AccessKeyMetadata } = await run("ListAccessKeys", { UserName: "ada" });
    assert.equal(AccessKeyMetadata?.length, 2);
  });

  test("a user manages its own without naming itself; a key is found under its user only", async (t) => {
    const api = await startApi(t);
    const { run } = api;
    await run("CreateUser", { UserName: "ada" });
    await run("CreateUser", { UserName: "grace" });
    const ada = callOfUser(api, "ada");
    const { AccessKey } = await run("CreateAccessKey", {}, ada);
    const AccessKeyId = AccessKey?.AccessKeyId ?? "";
    assert.equal((await run("ListAccessKeys", {}, ada)).AccessKeyMetadata?.length, 1);
    await assert.rejects(run("DeleteAccessKey", { UserName: "grace", AccessKeyId }), {
      code: "NoSuchEntityException",
      message: `The Access Key with id ${AccessKeyId} cannot be found.`,
    });
    await run("DeleteAccessKey", { AccessKeyId }, ada);
  });

  test("root's own key is not IAM's to make or take", async (t) => {
    const { run } = await startApi(t);
    await assert.rejects(run("CreateAccessKey", {}), { code: "AccessDenied" });
    await assert.rejects(run("DeleteAccessKey", { AccessKeyId: "AKIAROOTROOTROOTROOT" }), {
      code: "AccessDenied",
    });
  });
});

describe("last uses", () => {
  test("are known at once here, written now and then, and go with the key", async (t) => {
    const api = await startApi(t);
    const { run, iam, clock, deps } = api;
    await run("CreateUser", { UserName: "ada" });
    const { AccessKey } = await run("CreateAccessKey", { UserName: "ada" });
    const AccessKeyId = AccessKey?.AccessKeyId ?? "";
    const never = await run("GetAccessKeyLastUsed", { AccessKeyId });
    assert.deepEqual(never.AccessKeyLastUsed, { ServiceName: "N/A", Region: "N/A" });

    const authorize = iam.noting(() => ({ allowed: true }));
    authorize(requestOf(AccessKeyId));
    const last = await run("GetAccessKeyLastUsed", { AccessKeyId });
    const expected = {
      LastUsedDate: new Date(clock.now()),
      ServiceName: "ecs",
      Region: "eu-central-1",
    };
    assert.deepEqual(last, { UserName: "ada", AccessKeyLastUsed: expected });
    const at = `/-/-/iam/last-used/${AccessKeyId}`;
    assert.equal(deps.cache.get(at), undefined);

    const end = new AbortController();
    const running = iam.run(end.signal);
    await clock.advance(5 * 60_000);
    end.abort();
    await running;
    await deps.cache.reached((await deps.store.list(at)).revision);
    assert.ok(deps.cache.get(at));
    await run("DeleteAccessKey", { UserName: "ada", AccessKeyId });
    assert.equal(deps.cache.get(at), undefined);
  });

  test("the keys of machines leave no trace: they change every day", async (t) => {
    const { iam, clock, deps } = await startApi(t);
    const request = requestOf("AKIANODENODENODENODE");
    const principal = { ...request.principal, kind: "node" as const };
    await deps.store.txn([], [{ key: "/-/-/iam/access-keys/AKIANODENODENODENODE", value: {} }]);
    iam.noting(() => ({ allowed: true }))({ ...request, principal });
    const end = new AbortController();
    const running = iam.run(end.signal);
    await clock.advance(5 * 60_000);
    end.abort();
    await running;
    assert.deepEqual((await deps.store.list("/-/-/iam/last-used/")).records, []);
  });

  test("a role tells when a session of it was used", async (t) => {
    const { run, iam, clock } = await startApi(t);
    const trust = {
      Version: "2012-10-17",
      Statement: {
        Effect: "Allow",
        Principal: { Service: "ecs-tasks.amazonaws.com" },
        Action: "sts:AssumeRole",
      },
    };
    await run("CreateRole", { RoleName: "r", AssumeRolePolicyDocument: JSON.stringify(trust) });
    assert.deepEqual((await run("GetRole", { RoleName: "r" })).Role?.RoleLastUsed, {});
    const request = requestOf("ASIASESSION");
    const arn = `arn:aws:sts::${ACCOUNT}:assumed-role/r/task`;
    const principal = { ...request.principal, arn, kind: "role-session" as const };
    iam.noting(() => ({ allowed: true }))({ ...request, principal });
    assert.deepEqual((await run("GetRole", { RoleName: "r" })).Role?.RoleLastUsed, {
      LastUsedDate: new Date(clock.now()),
      Region: "eu-central-1",
    });
  });
});

type Request = Parameters<ReturnType<IamApi["iam"]["noting"]>>[0];

function requestOf(accessKeyId: string): Request {
  return {
    principal: {
      accountId: ACCOUNT,
      arn: `arn:aws:iam::${ACCOUNT}:user/ada`,
      accessKeyId,
      kind: "user",
    },
    action: "ecs:ListTasks",
    resources: ["*"],
    origin: {
      region: "eu-central-1",
      sourceIp: "127.0.0.1",
      userAgent: undefined,
      isSecure: false,
    },
    conditionsOf: () => ({}),
  };
}

function findIdentity({
  deps,
}: IamApi): (id: string) => ReturnType<ReturnType<typeof createFindIdentity>> {
  const sessions = { openSession: () => undefined };
  const find = createFindIdentity({ cache: deps.cache, sessions, clock: deps.clock });
  return (id) => find(id, undefined);
}

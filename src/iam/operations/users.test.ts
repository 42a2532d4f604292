import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ACCOUNT, callOf, NOW } from "../iam.fixture.ts";
import { allowing, callOfUser, startApi } from "./api.fixture.ts";

describe("users", () => {
  test("are made with path, tags and boundary, and shown with them", async (t) => {
    const { run } = await startApi(t);
    const boundary = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    const { User } = await run("CreateUser", {
      UserName: "ada",
      Path: "/teams/a/",
      Tags: [{ Key: "team", Value: "a" }],
      PermissionsBoundary: boundary,
    });
    assert.match(User?.UserId ?? "", /^AIDA[A-Z2-7]{17}$/);
    assert.deepEqual(User, {
      Path: "/teams/a/",
      UserName: "ada",
      UserId: User?.UserId,
      Arn: `arn:aws:iam::${ACCOUNT}:user/teams/a/ada`,
      CreateDate: new Date(NOW),
      PermissionsBoundary: {
        PermissionsBoundaryType: "PermissionsBoundaryPolicy",
        PermissionsBoundaryArn: boundary,
      },
      Tags: [{ Key: "team", Value: "a" }],
    });
    assert.deepEqual((await run("GetUser", { UserName: "ADA" })).User, User);
    const { Users } = await run("ListUsers", {});
    assert.deepEqual(Object.keys(Users?.[0] ?? {}).sort(), [
      "Arn",
      "CreateDate",
      "Path",
      "UserId",
      "UserName",
    ]);
  });

  test("belong to one account and have a name once, whatever its case", async (t) => {
    const { run } = await startApi(t);
    await run("CreateUser", { UserName: "Ada" });
    await assert.rejects(run("CreateUser", { UserName: "aDA" }), {
      code: "EntityAlreadyExistsException",
      message: "User with name aDA already exists.",
    });
    await assert.rejects(run("GetUser", { UserName: "ada" }, callOf("222222222222")), {
      code: "NoSuchEntityException",
      message: "The user with name ada cannot be found.",
    });
  });

  test("who asks without a name is told of itself", async (t) => {
    const api = await startApi(t);
    await api.run("CreateUser", { UserName: "ada" });
    const own = await api.run("GetUser", {}, callOfUser(api, "ada"));
    assert.equal(own.User?.UserName, "ada");
    const root = await api.run("GetUser", {});
    assert.equal(root.User?.Arn, `arn:aws:iam::${ACCOUNT}:root`);
    const session = callOf(ACCOUNT);
    const arn = `arn:aws:sts::${ACCOUNT}:assumed-role/r/s`;
    await assert.rejects(
      api.run(
        "GetUser",
        {},
        {
          ...session,
          principal: { ...session.principal, arn, kind: "role-session" },
        },
      ),
      { message: "Must specify userName when calling with non-User credentials" },
    );
  });

  test("a renamed user keeps groups, policies and keys", async (t) => {
    const { run, deps } = await startApi(t);
    await run("CreateUser", { UserName: "ada" });
    await run("CreateGroup", { GroupName: "dev" });
    await run("AddUserToGroup", { UserName: "ada", GroupName: "dev" });
    await run("PutUserPolicy", {
      UserName: "ada",
      PolicyName: "p",
      PolicyDocument: allowing("ecs:*"),
    });
    const { AccessKey } = await run("CreateAccessKey", { UserName: "ada" });
    await run("CreateUser", { UserName: "grace" });
    await assert.rejects(run("UpdateUser", { UserName: "ada", NewUserName: "grace" }), {
      code: "EntityAlreadyExistsException",
    });

    await run("UpdateUser", { UserName: "ada", NewUserName: "lovelace", NewPath: "/x/" });
    await assert.rejects(run("GetUser", { UserName: "ada" }), { code: "NoSuchEntityException" });
    const { AccessKeyMetadata } = await run("ListAccessKeys", { UserName: "lovelace" });
    assert.equal(AccessKeyMetadata?.[0]?.AccessKeyId, AccessKey?.AccessKeyId);
    assert.equal(AccessKeyMetadata?.[0]?.UserName, "lovelace");
    const { Groups } = await run("ListGroupsForUser", { UserName: "lovelace" });
    assert.deepEqual(
      Groups?.map(({ GroupName }) => GroupName),
      ["dev"],
    );
    const { Users } = await run("GetGroup", { GroupName: "dev" });
    assert.deepEqual(
      Users?.map(({ Arn }) => Arn),
      [`arn:aws:iam::${ACCOUNT}:user/x/lovelace`],
    );
    const key = deps.cache.get(`/-/-/iam/access-keys/${AccessKey?.AccessKeyId}`)?.value;
    assert.equal(
      (key as { principalArn: string }).principalArn,
      `arn:aws:iam::${ACCOUNT}:user/x/lovelace`,
    );
    await run("UpdateUser", { UserName: "lovelace", NewUserName: "Lovelace" });
    assert.equal((await run("GetUser", { UserName: "lovelace" })).User?.UserName, "Lovelace");
  });

  test("are deleted once nothing is left of them, and each hint says what", async (t) => {
    const { run } = await startApi(t);
    const UserName = "ada";
    const PolicyArn = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    await run("CreateUser", { UserName });
    await run("CreateGroup", { GroupName: "dev" });
    await run("AddUserToGroup", { UserName, GroupName: "dev" });
    await run("AttachUserPolicy", { UserName, PolicyArn });
    await run("PutUserPolicy", { UserName, PolicyName: "p", PolicyDocument: allowing("ecs:*") });
    const { AccessKey } = await run("CreateAccessKey", { UserName });
    const refusal = async (): Promise<string> =>
      run("DeleteUser", { UserName }).then(
        () => "deleted",
        ({ code, message }) => `${code}: ${message}`,
      );
    const conflict = "DeleteConflictException: Cannot delete entity, must";
    assert.equal(await refusal(), `${conflict} detach all policies first.`);
    await run("DetachUserPolicy", { UserName, PolicyArn });
    assert.equal(await refusal(), `${conflict} delete policies first.`);
    await run("DeleteUserPolicy", { UserName, PolicyName: "p" });
    assert.equal(await refusal(), `${conflict} remove users from group first.`);
    await run("RemoveUserFromGroup", { UserName, GroupName: "dev" });
    assert.equal(await refusal(), `${conflict} delete access keys first.`);
    await run("DeleteAccessKey", { UserName, AccessKeyId: AccessKey?.AccessKeyId ?? "" });
    assert.equal(await refusal(), "deleted");
    assert.match(await refusal(), /^NoSuchEntityException/);
  });

  const bad: readonly [string, object, RegExp][] = [
    ["a name with a space", { UserName: "a b" }, /^The specified value for userName is invalid/],
    [
      "a name too long",
      { UserName: "a".repeat(65) },
      /'userName' failed.*less than or equal to 64/,
    ],
    ["an empty name", { UserName: "" }, /greater than or equal to 1/],
    ["a path without end", { UserName: "a", Path: "/x" }, /^The specified value for path/],
    ["a path with a space", { UserName: "a", Path: "/x y/" }, /^The specified value for path/],
    ["an aws: tag", { UserName: "a", Tags: [{ Key: "aws:x", Value: "" }] }, /aws:x/],
    [
      "keys that differ by case",
      { UserName: "a", Tags: ["k", "K"].map((Key) => ({ Key, Value: "v" })) },
      /^Duplicate tag keys found/,
    ],
    [
      "a boundary that is not there",
      { UserName: "a", PermissionsBoundary: `arn:aws:iam::${ACCOUNT}:policy/nothing` },
      /does not exist or is not attachable/,
    ],
  ];
  for (const [what, input, message] of bad) {
    test(`refuse ${what}`, async (t) => {
      const { run } = await startApi(t);
      await assert.rejects(run("CreateUser", input as { UserName: string }), { message });
    });
  }
});

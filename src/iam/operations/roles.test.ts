import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ACCOUNT, NOW } from "../iam.fixture.ts";
import { roleKey } from "../model/keys.ts";
import type { Role } from "../model/records.ts";
import { allowing, startApi, trusting } from "./api.fixture.ts";

const ADA = `arn:aws:iam::${ACCOUNT}:user/ada`;
const MALFORMED = "MalformedPolicyDocumentException";

describe("roles", () => {
  test("are made, shown with an encoded trust policy, and changed", async (t) => {
    const { run } = await startApi(t);
    const { Role: made } = await run("CreateRole", {
      RoleName: "worker",
      Path: "/app/",
      Description: "works",
      MaxSessionDuration: 7200,
      AssumeRolePolicyDocument: trusting(),
      Tags: [{ Key: "a", Value: "b" }],
    });
    assert.match(made?.RoleId ?? "", /^AROA[A-Z2-7]{17}$/);
    assert.deepEqual(made, {
      Path: "/app/",
      RoleName: "worker",
      RoleId: made?.RoleId,
      Arn: `arn:aws:iam::${ACCOUNT}:role/app/worker`,
      CreateDate: new Date(NOW),
      AssumeRolePolicyDocument: made?.AssumeRolePolicyDocument,
      Description: "works",
      MaxSessionDuration: 7200,
      Tags: [{ Key: "a", Value: "b" }],
    });
    const text = made?.AssumeRolePolicyDocument ?? "";
    assert.match(text, /^[A-Za-z0-9%._~-]+$/);
    assert.deepEqual(JSON.parse(decodeURIComponent(text)), JSON.parse(trusting()));

    await run("UpdateRole", { RoleName: "worker", MaxSessionDuration: 3600 });
    await run("UpdateRoleDescription", { RoleName: "worker", Description: "rests" });
    const { Role: changed } = await run("GetRole", { RoleName: "worker" });
    assert.equal(changed?.MaxSessionDuration, 3600);
    assert.equal(changed?.Description, "rests");
  });

  test("trust a user by its id: another of that name is not trusted", async (t) => {
    const { run, deps } = await startApi(t);
    const trustedNow = async (): Promise<unknown> => {
      const { Role: role } = await run("GetRole", { RoleName: "r" });
      const text = decodeURIComponent(role?.AssumeRolePolicyDocument ?? "");
      return JSON.parse(text).Statement[0].Principal.AWS;
    };
    const { User } = await run("CreateUser", { UserName: "ada" });
    await run("CreateRole", { RoleName: "r", AssumeRolePolicyDocument: trusting({ AWS: ADA }) });
    const stored = deps.cache.get(roleKey(ACCOUNT, "r"))?.value as Role;
    assert.equal(stored.trustPolicy, trusting({ AWS: User?.UserId ?? "" }));
    assert.equal(await trustedNow(), ADA);
    await run("UpdateUser", { UserName: "ada", NewUserName: "lovelace" });
    assert.equal(await trustedNow(), `arn:aws:iam::${ACCOUNT}:user/lovelace`);
    await run("DeleteUser", { UserName: "lovelace" });
    await run("CreateUser", { UserName: "ada" });
    assert.equal(await trustedNow(), User?.UserId);
  });

  test("a deleted role leaves nothing in the way of a new one", async (t) => {
    const { run } = await startApi(t);
    const RoleName = "r";
    await run("CreateRole", { RoleName, AssumeRolePolicyDocument: trusting() });
    await run("PutRolePolicy", { RoleName, PolicyName: "p", PolicyDocument: allowing("ecs:*") });
    await run("CreateInstanceProfile", { InstanceProfileName: "i" });
    await run("AddRoleToInstanceProfile", { InstanceProfileName: "i", RoleName });
    await assert.rejects(run("DeleteRole", { RoleName }), {
      message: "Cannot delete entity, must remove roles from instance profile first.",
    });
    await run("RemoveRoleFromInstanceProfile", { InstanceProfileName: "i", RoleName });
    await assert.rejects(run("DeleteRole", { RoleName }), {
      message: "Cannot delete entity, must delete policies first.",
    });
    await run("DeleteRolePolicy", { RoleName, PolicyName: "p" });
    await run("DeleteRole", { RoleName });
    await run("CreateRole", { RoleName, AssumeRolePolicyDocument: trusting() });
    assert.deepEqual((await run("ListRolePolicies", { RoleName })).PolicyNames, []);
  });

  const bad: readonly [string, object, string, RegExp][] = [
    [
      "no JSON",
      { AssumeRolePolicyDocument: "x" },
      MALFORMED,
      /^This policy contains invalid Json$/,
    ],
    [
      "a user who is not there",
      { AssumeRolePolicyDocument: trusting({ AWS: ADA }) },
      MALFORMED,
      /^Invalid principal in policy: "AWS":"arn:aws:iam::111111111111:user\/ada"$/,
    ],
    [
      "a session of a role that is not there",
      {
        AssumeRolePolicyDocument: trusting({
          AWS: `arn:aws:sts::${ACCOUNT}:assumed-role/nobody/x`,
        }),
      },
      MALFORMED,
      /Invalid principal/,
    ],
    [
      "a service that is none",
      { AssumeRolePolicyDocument: trusting({ Service: "ecs.example.com" }) },
      MALFORMED,
      /^Invalid principal in policy: "SERVICE":"ecs.example.com"$/,
    ],
    [
      "a trust policy that is too large",
      {
        AssumeRolePolicyDocument: trusting({
          Service: Array.from({ length: 99 }, (_, i) => `service-${i}.amazonaws.com`),
        }),
      },
      "LimitExceededException",
      /^Cannot exceed quota for ACLSizePerRole: 2048$/,
    ],
    [
      "short sessions",
      { AssumeRolePolicyDocument: trusting(), MaxSessionDuration: 3599 },
      "ValidationError",
      /'maxSessionDuration'.*greater than or equal to 3600/,
    ],
    [
      "the path of services",
      { AssumeRolePolicyDocument: trusting(), Path: "/aws-service-role/x/" },
      "InvalidInputException",
      /CreateServiceLinkedRole/,
    ],
  ];
  for (const [what, input, code, message] of bad) {
    test(`refuse ${what}`, async (t) => {
      const { run } = await startApi(t);
      const given = { RoleName: "r", ...input } as {
        RoleName: string;
        AssumeRolePolicyDocument: string;
      };
      await assert.rejects(run("CreateRole", given), { code, message });
    });
  }
});

describe("instance profiles", () => {
  test("hold one role and go when they hold none", async (t) => {
    const { run } = await startApi(t);
    const InstanceProfileName = "nodes";
    await run("CreateInstanceProfile", { InstanceProfileName, Tags: [{ Key: "a", Value: "b" }] });
    for (const RoleName of ["one", "two"]) {
      await run("CreateRole", { RoleName, AssumeRolePolicyDocument: trusting() });
    }
    await run("AddRoleToInstanceProfile", { InstanceProfileName, RoleName: "one" });
    await assert.rejects(
      run("AddRoleToInstanceProfile", { InstanceProfileName, RoleName: "two" }),
      {
        code: "LimitExceededException",
        message: "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1",
      },
    );
    const { InstanceProfile: profile } = await run("GetInstanceProfile", { InstanceProfileName });
    assert.match(profile?.InstanceProfileId ?? "", /^AIPA/);
    assert.deepEqual(
      profile?.Roles?.map(({ RoleName }) => RoleName),
      ["one"],
    );
    const ofRole = await run("ListInstanceProfilesForRole", { RoleName: "one" });
    assert.equal(ofRole.InstanceProfiles?.length, 1);
    await assert.rejects(run("DeleteInstanceProfile", { InstanceProfileName }), {
      code: "DeleteConflictException",
    });
    await run("RemoveRoleFromInstanceProfile", { InstanceProfileName, RoleName: "ONE" });
    await assert.rejects(
      run("RemoveRoleFromInstanceProfile", { InstanceProfileName, RoleName: "one" }),
      { code: "NoSuchEntityException" },
    );
    await run("DeleteInstanceProfile", { InstanceProfileName });
    await assert.rejects(run("GetInstanceProfile", { InstanceProfileName }), {
      message: "Instance Profile nodes cannot be found.",
    });
  });
});

describe("service-linked roles", () => {
  const RoleName = "AWSServiceRoleForECS";

  test("are made once, with their policy, and nobody but their service changes them", async (t) => {
    const { run, iam } = await startApi(t);
    const { Role: role } = await run("CreateServiceLinkedRole", {
      AWSServiceName: "ecs.amazonaws.com",
    });
    const arn = `arn:aws:iam::${ACCOUNT}:role/aws-service-role/ecs.amazonaws.com/${RoleName}`;
    assert.equal(role?.Arn, arn);
    await assert.rejects(run("CreateServiceLinkedRole", { AWSServiceName: "ecs.amazonaws.com" }), {
      code: "InvalidInputException",
      message: `Service role name ${RoleName} has been taken in this account, please try a different suffix.`,
    });
    await iam.ensureServiceLinkedRole(ACCOUNT, "ecs.amazonaws.com");
    const { AttachedPolicies } = await run("ListAttachedRolePolicies", { RoleName });
    assert.deepEqual(
      AttachedPolicies?.map(({ PolicyName }) => PolicyName),
      ["AmazonECSServiceRolePolicy"],
    );
    const protectedError = { code: "UnmodifiableEntityException" };
    await assert.rejects(run("DeleteRole", { RoleName }), protectedError);
    await assert.rejects(
      run("PutRolePolicy", { RoleName, PolicyName: "p", PolicyDocument: allowing("ecs:*") }),
      protectedError,
    );
    await assert.rejects(
      run("UpdateAssumeRolePolicy", { RoleName, PolicyDocument: trusting() }),
      protectedError,
    );
    await assert.rejects(
      run("AttachRolePolicy", {
        RoleName,
        PolicyArn: "arn:aws:iam::aws:policy/AdministratorAccess",
      }),
      protectedError,
    );
    await run("UpdateRoleDescription", { RoleName, Description: "ours" });
  });

  test("are made on demand, whoever asks first", async (t) => {
    const { run, iam } = await startApi(t);
    const services = ["ecs.amazonaws.com", "autoscaling.amazonaws.com", "unknown.amazonaws.com"];
    await Promise.all(
      [...services, ...services].map((each) => iam.ensureServiceLinkedRole(ACCOUNT, each)),
    );
    const { Roles } = await run("ListRoles", { PathPrefix: "/aws-service-role/" });
    assert.deepEqual(
      Roles?.map((role) => role.RoleName),
      ["AWSServiceRoleForAutoScaling", "AWSServiceRoleForECS"],
    );
  });

  test("take a suffix where the service has several", async (t) => {
    const { run } = await startApi(t);
    const { Role: role } = await run("CreateServiceLinkedRole", {
      AWSServiceName: "autoscaling.amazonaws.com",
      CustomSuffix: "blue",
    });
    assert.equal(role?.RoleName, "AWSServiceRoleForAutoScaling_blue");
    await assert.rejects(
      run("CreateServiceLinkedRole", { AWSServiceName: "ecs.amazonaws.com", CustomSuffix: "x" }),
      { message: "Custom suffix is not allowed for ecs.amazonaws.com" },
    );
  });

  test("stay while their service needs them", async (t) => {
    const { run, write } = await startApi(t);
    await run("CreateServiceLinkedRole", { AWSServiceName: "ecs.amazonaws.com" });
    const cluster = { accountId: ACCOUNT, region: "us-east-1", name: "demo", status: "ACTIVE" };
    const key = `/${ACCOUNT}/us-east-1/ecs/clusters/demo`;
    await write({ key, value: cluster });
    const refused = await run("DeleteServiceLinkedRole", { RoleName });
    const status = await run(
      "GetServiceLinkedRoleDeletionStatus",
      refused as { DeletionTaskId: string },
    );
    assert.equal(status.Status, "FAILED");
    assert.deepEqual(status.Reason?.RoleUsageList, [
      { Region: "us-east-1", Resources: [`arn:aws:ecs:us-east-1:${ACCOUNT}:cluster/demo`] },
    ]);
    await write({ key, value: undefined });
    const { DeletionTaskId } = await run("DeleteServiceLinkedRole", { RoleName });
    assert.match(
      DeletionTaskId ?? "",
      /^task\/aws-service-role\/ecs\.amazonaws\.com\/AWSServiceRoleForECS\/[0-9a-f-]{36}$/,
    );
    assert.deepEqual(
      await run("GetServiceLinkedRoleDeletionStatus", { DeletionTaskId: DeletionTaskId ?? "" }),
      { Status: "SUCCEEDED" },
    );
    await assert.rejects(run("GetRole", { RoleName }), { code: "NoSuchEntityException" });
  });
});

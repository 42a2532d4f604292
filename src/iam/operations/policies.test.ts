import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ACCOUNT } from "../iam.fixture.ts";
import { allowing, type IamApi, startApi, trusting } from "./api.fixture.ts";

const AWS_ARN = "arn:aws:iam::aws:policy/ReadOnlyAccess";

describe("managed policies", () => {
  test("have up to five versions, of which one counts", async (t) => {
    const { run } = await startApi(t);
    const { Policy } = await run("CreatePolicy", {
      PolicyName: "p",
      Path: "/x/",
      Description: "d",
      PolicyDocument: allowing("ecs:A1"),
      Tags: [{ Key: "k", Value: "v" }],
    });
    assert.match(Policy?.PolicyId ?? "", /^ANPA/);
    const PolicyArn = `arn:aws:iam::${ACCOUNT}:policy/x/p`;
    assert.equal(Policy?.Arn, PolicyArn);
    for (let n = 2; n <= 5; n++) {
      const { PolicyVersion } = await run("CreatePolicyVersion", {
        PolicyArn,
        PolicyDocument: allowing(`ecs:A${n}`),
        SetAsDefault: n === 3,
      });
      assert.deepEqual(
        [PolicyVersion?.VersionId, PolicyVersion?.IsDefaultVersion],
        [`v${n}`, n === 3],
      );
    }
    const more = { PolicyArn, PolicyDocument: allowing("ecs:More") };
    await assert.rejects(run("CreatePolicyVersion", more), {
      code: "LimitExceededException",
      message: /^A managed policy can have up to 5 versions/,
    });
    await assert.rejects(run("DeletePolicyVersion", { PolicyArn, VersionId: "v3" }), {
      message: "Cannot delete the default version of a policy.",
    });
    await run("SetDefaultPolicyVersion", { PolicyArn, VersionId: "v2" });
    await run("DeletePolicyVersion", { PolicyArn, VersionId: "v5" });
    const { PolicyVersion } = await run("CreatePolicyVersion", more);
    assert.equal(PolicyVersion?.VersionId, "v6", "a number does not come again");
    const { Versions } = await run("ListPolicyVersions", { PolicyArn });
    assert.deepEqual(
      Versions?.map(({ VersionId }) => VersionId),
      ["v6", "v4", "v3", "v2", "v1"],
    );
    const { PolicyVersion: second } = await run("GetPolicyVersion", { PolicyArn, VersionId: "v2" });
    assert.equal(decodeURIComponent(second?.Document ?? ""), allowing("ecs:A2"));
    const shown = (await run("GetPolicy", { PolicyArn })).Policy;
    assert.deepEqual([shown?.DefaultVersionId, shown?.Description], ["v2", "d"]);
  });

  test("count who has them and stay as long", async (t) => {
    const { run } = await startApi(t);
    const { PolicyArn } = await makeEverything(run);
    const { Policy } = await run("GetPolicy", { PolicyArn });
    assert.equal(Policy?.AttachmentCount, 3);
    assert.equal(Policy?.PermissionsBoundaryUsageCount, 1);
    const all = await run("ListEntitiesForPolicy", { PolicyArn });
    assert.deepEqual(
      [
        all.PolicyUsers?.map(({ UserName }) => UserName),
        all.PolicyGroups?.map(({ GroupName }) => GroupName),
        all.PolicyRoles?.map(({ RoleName }) => RoleName),
      ],
      [["ada"], ["dev"], ["r"]],
    );
    const bounded = await run("ListEntitiesForPolicy", {
      PolicyArn,
      PolicyUsageFilter: "PermissionsBoundary",
      EntityFilter: "User",
    });
    assert.deepEqual(
      bounded.PolicyUsers?.map(({ UserName }) => UserName),
      ["grace"],
    );
    await assert.rejects(run("DeletePolicy", { PolicyArn }), {
      code: "DeleteConflictException",
      message: "Cannot delete a policy attached to entities.",
    });
    await run("DetachUserPolicy", { UserName: "ada", PolicyArn });
    await run("DetachGroupPolicy", { GroupName: "dev", PolicyArn });
    await run("DetachRolePolicy", { RoleName: "r", PolicyArn });
    await assert.rejects(run("DeletePolicy", { PolicyArn }), { code: "DeleteConflictException" });
    await run("DeleteUserPermissionsBoundary", { UserName: "grace" });
    await run("CreatePolicyVersion", { PolicyArn, PolicyDocument: allowing("ecs:X") });
    await assert.rejects(run("DeletePolicy", { PolicyArn }), {
      message: /^This policy has more than one version/,
    });
    await run("DeletePolicyVersion", { PolicyArn, VersionId: "v2" });
    await run("DeletePolicy", { PolicyArn });
    await assert.rejects(run("GetPolicy", { PolicyArn }), {
      code: "NoSuchEntityException",
      message: `Policy ${PolicyArn} was not found.`,
    });
  });

  test("are listed by scope, path and use", async (t) => {
    const { run } = await startApi(t);
    await makeEverything(run);
    await run("AttachUserPolicy", { UserName: "ada", PolicyArn: AWS_ARN });
    const names = async (input: Parameters<typeof run<"ListPolicies">>[1]): Promise<unknown> =>
      (await run("ListPolicies", input)).Policies?.map(({ PolicyName }) => PolicyName);
    assert.deepEqual(await names({ Scope: "Local" }), ["p", "unused"]);
    assert.deepEqual(await names({ OnlyAttached: true }), ["p", "ReadOnlyAccess"]);
    assert.deepEqual(await names({ Scope: "AWS", OnlyAttached: true }), ["ReadOnlyAccess"]);
    assert.deepEqual(await names({ PolicyUsageFilter: "PermissionsBoundary" }), ["p"]);
    assert.deepEqual(await names({ Scope: "AWS", PathPrefix: "/job-function/" }), [
      "ViewOnlyAccess",
    ]);
  });

  test("of AWS can be read and attached, not changed", async (t) => {
    const { run } = await startApi(t);
    const { Policy } = await run("GetPolicy", { PolicyArn: AWS_ARN });
    assert.equal(Policy?.IsAttachable, true);
    const { PolicyVersion } = await run("GetPolicyVersion", {
      PolicyArn: AWS_ARN,
      VersionId: Policy?.DefaultVersionId,
    } as { PolicyArn: string; VersionId: string });
    assert.match(decodeURIComponent(PolicyVersion?.Document ?? ""), /"ecs:Describe\*"/);
    await assert.rejects(run("DeletePolicy", { PolicyArn: AWS_ARN }), { code: "AccessDenied" });
    await run("CreateRole", { RoleName: "r", AssumeRolePolicyDocument: trusting() });
    await assert.rejects(
      run("AttachRolePolicy", {
        RoleName: "r",
        PolicyArn: "arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy",
      }),
      { code: "PolicyNotAttachableException" },
    );
  });

  const bad: readonly [string, string, RegExp][] = [
    ["{}", "MalformedPolicyDocumentException", /^Syntax errors in policy\.$/],
    [allowing("nonsense"), "MalformedPolicyDocumentException", /must be prefaced by a vendor/],
    [
      JSON.stringify({
        Version: "2012-10-17",
        Statement: Array.from({ length: 100 }, (_, i) => ({
          Sid: `s${i}`,
          Effect: "Allow",
          Action: "ecs:DescribeTaskDefinition",
          Resource: "*",
        })),
      }),
      "LimitExceededException",
      /^Cannot exceed quota for PolicySize: 6144$/,
    ],
    [" ".repeat(131_073), "ValidationError", /less than or equal to 131072/],
  ];
  for (const [PolicyDocument, code, message] of bad) {
    test(`refuse ${PolicyDocument.slice(0, 30)}…: ${code}`, async (t) => {
      const { run } = await startApi(t);
      await assert.rejects(run("CreatePolicy", { PolicyName: "p", PolicyDocument }), {
        code,
        message,
      });
    });
  }
});

describe("policies of a user, group or role", () => {
  test("inline ones are put, replaced, read back to the letter, and counted without white space", async (t) => {
    const { run } = await startApi(t);
    await run("CreateGroup", { GroupName: "dev" });
    const spaced = JSON.stringify(JSON.parse(allowing("ecs:A*()'!")), undefined, 4);
    const input = { GroupName: "dev", PolicyName: "p" };
    await run("PutGroupPolicy", { ...input, PolicyDocument: allowing("ecs:*") });
    await run("PutGroupPolicy", { ...input, PolicyDocument: spaced + " ".repeat(6000) });
    const { PolicyDocument = "" } = await run("GetGroupPolicy", input);
    assert.equal(decodeURIComponent(PolicyDocument), spaced + " ".repeat(6000));
    assert.match(PolicyDocument, /^[A-Za-z0-9%._~-]+$/);
    const long = allowing(`ecs:${"x".repeat(5100)}`);
    await assert.rejects(
      run("PutGroupPolicy", { GroupName: "dev", PolicyName: "q", PolicyDocument: long }),
      {
        code: "LimitExceededException",
        message: "Maximum policy size of 5120 bytes exceeded for group dev",
      },
    );
    assert.deepEqual((await run("ListGroupPolicies", { GroupName: "dev" })).PolicyNames, ["p"]);
    await assert.rejects(run("GetGroupPolicy", { GroupName: "dev", PolicyName: "q" }), {
      message: "The group policy with name q cannot be found.",
    });
  });

  test("ten managed ones at most; attaching twice is once, detaching twice an error", async (t) => {
    const { run } = await startApi(t);
    await run("CreateUser", { UserName: "ada" });
    for (let n = 0; n <= 10; n++) {
      await run("CreatePolicy", { PolicyName: `p${n}`, PolicyDocument: allowing("ecs:*") });
    }
    const attach = (n: number): Promise<unknown> =>
      run("AttachUserPolicy", {
        UserName: "ada",
        PolicyArn: `arn:aws:iam::${ACCOUNT}:policy/p${n}`,
      });
    for (let n = 0; n < 10; n++) await attach(n);
    await attach(0);
    await assert.rejects(attach(10), {
      message: "Cannot exceed quota for PoliciesPerUser: 10",
    });
    const PolicyArn = `arn:aws:iam::${ACCOUNT}:policy/p0`;
    await run("DetachUserPolicy", { UserName: "ada", PolicyArn });
    await assert.rejects(run("DetachUserPolicy", { UserName: "ada", PolicyArn }), {
      message: `Policy ${PolicyArn} was not found.`,
    });
    await assert.rejects(run("AttachUserPolicy", { UserName: "ada", PolicyArn: "x".repeat(20) }), {
      code: "InvalidInputException",
    });
  });
});

/** `p` is attached to a user, a group and a role, and bounds another user; `unused` is what it says. */
async function makeEverything(run: IamApi["run"]): Promise<{ PolicyArn: string }> {
  const PolicyArn = `arn:aws:iam::${ACCOUNT}:policy/p`;
  await run("CreatePolicy", { PolicyName: "p", PolicyDocument: allowing("ecs:*") });
  await run("CreatePolicy", { PolicyName: "unused", PolicyDocument: allowing("ecs:*") });
  await run("CreateUser", { UserName: "ada" });
  await run("CreateUser", { UserName: "grace", PermissionsBoundary: PolicyArn });
  await run("CreateGroup", { GroupName: "dev" });
  await run("CreateRole", { RoleName: "r", AssumeRolePolicyDocument: trusting() });
  await run("AttachUserPolicy", { UserName: "ada", PolicyArn });
  await run("AttachGroupPolicy", { GroupName: "dev", PolicyArn });
  await run("AttachRolePolicy", { RoleName: "r", PolicyArn });
  return { PolicyArn };
}

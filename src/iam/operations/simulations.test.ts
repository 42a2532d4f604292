import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SimulateCustomPolicyRequest } from "@aws-sdk/client-iam";
import { ACCOUNT } from "../iam.fixture.ts";
import { allowing, type IamApi, startApi, trusting } from "./api.fixture.ts";

const CLUSTER = `arn:aws:ecs:us-east-1:${ACCOUNT}:cluster/prod`;
const ADA = `arn:aws:iam::${ACCOUNT}:user/ada`;

function policy(...statements: readonly object[]): string {
  return JSON.stringify({ Version: "2012-10-17", Statement: statements });
}

async function decisions(
  { run }: IamApi,
  input: Omit<SimulateCustomPolicyRequest, "ActionNames">,
): Promise<readonly (string | undefined)[]> {
  const { EvaluationResults } = await run("SimulateCustomPolicy", {
    ActionNames: ["ecs:RunTask", "ecs:StopTask"],
    ...input,
  });
  return (EvaluationResults ?? []).map(({ EvalDecision }) => EvalDecision);
}

describe("SimulateCustomPolicy", () => {
  test("decides each action on each resource and names the statements that decided", async (t) => {
    const { run } = await startApi(t);
    const document = policy(
      { Effect: "Allow", Action: "ecs:*", Resource: "*" },
      { Effect: "Deny", Action: "ecs:StopTask", Resource: CLUSTER },
    );
    const { EvaluationResults, IsTruncated } = await run("SimulateCustomPolicy", {
      PolicyInputList: [document],
      ActionNames: ["ecs:RunTask", "ecs:StopTask", "logs:PutLogEvents"],
      ResourceArns: [CLUSTER],
    });
    assert.equal(IsTruncated, false);
    assert.deepEqual(
      EvaluationResults?.map(({ EvalActionName, EvalDecision }) => [EvalActionName, EvalDecision]),
      [
        ["ecs:RunTask", "allowed"],
        ["ecs:StopTask", "explicitDeny"],
        ["logs:PutLogEvents", "implicitDeny"],
      ],
    );
    const [allowed, denied, missing] = EvaluationResults ?? [];
    const deny = document.indexOf(',{"Effect":"Deny"');
    assert.deepEqual(denied?.MatchedStatements, [
      {
        SourcePolicyId: "PolicyInputList.1",
        SourcePolicyType: "IAM Policy",
        StartPosition: { Line: 1, Column: deny + 1 },
        EndPosition: { Line: 1, Column: document.length - 1 },
      },
    ]);
    assert.equal(allowed?.MatchedStatements?.length, 1);
    assert.deepEqual(missing?.MatchedStatements, []);
    assert.equal(allowed?.ResourceSpecificResults?.[0]?.EvalResourceDecision, "allowed");
  });

  test("context entries fill in conditions and variables; what is missing is told", async (t) => {
    const { run } = await startApi(t);
    const PolicyInputList = [
      policy({
        Effect: "Allow",
        Action: "ecs:RunTask",
        Resource: `arn:aws:ecs:*:*:task-definition/\${aws:username}-*`,
        Condition: {
          IpAddress: { "aws:SourceIp": "10.0.0.0/8" },
          "ForAllValues:StringEquals": { "aws:TagKeys": ["team"] },
        },
      }),
    ];
    const input = {
      PolicyInputList,
      ActionNames: ["ecs:RunTask"],
      ResourceArns: [`arn:aws:ecs:us-east-1:${ACCOUNT}:task-definition/ada-web`],
    };
    const without = (await run("SimulateCustomPolicy", input)).EvaluationResults?.[0];
    assert.equal(without?.EvalDecision, "implicitDeny");
    assert.deepEqual(without?.MissingContextValues?.toSorted(), [
      "aws:SourceIp",
      "aws:TagKeys",
      "aws:username",
    ]);
    const full = await run("SimulateCustomPolicy", {
      ...input,
      ContextEntries: [
        { ContextKeyName: "aws:UserName", ContextKeyType: "string", ContextKeyValues: ["ada"] },
        { ContextKeyName: "aws:SourceIp", ContextKeyType: "ip", ContextKeyValues: ["10.1.2.3"] },
        {
          ContextKeyName: "aws:TagKeys",
          ContextKeyType: "stringList",
          ContextKeyValues: ["team"],
        },
      ],
    });
    assert.equal(full.EvaluationResults?.[0]?.EvalDecision, "allowed");
    assert.deepEqual(full.EvaluationResults?.[0]?.MissingContextValues, []);
    const { ContextKeyNames } = await run("GetContextKeysForCustomPolicy", { PolicyInputList });
    assert.deepEqual(ContextKeyNames?.toSorted(), ["aws:SourceIp", "aws:TagKeys", "aws:username"]);
  });

  test("a boundary narrows and says so", async (t) => {
    const api = await startApi(t);
    const input = {
      PolicyInputList: [allowing("ecs:*")],
      PermissionsBoundaryPolicyInputList: [allowing("ecs:RunTask")],
    };
    assert.deepEqual(await decisions(api, input), ["allowed", "implicitDeny"]);
    const { EvaluationResults } = await api.run("SimulateCustomPolicy", {
      ...input,
      ActionNames: ["ecs:StopTask"],
    });
    assert.deepEqual(EvaluationResults?.[0]?.PermissionsBoundaryDecisionDetail, {
      AllowedByPermissionsBoundary: false,
    });
  });

  test("a resource policy grants in its own account and is needed across accounts", async (t) => {
    const api = await startApi(t);
    const ResourcePolicy = policy({
      Effect: "Allow",
      Principal: { AWS: ADA },
      Action: "ecs:RunTask",
      Resource: "*",
    });
    const own = { PolicyInputList: [allowing("logs:X")], ResourcePolicy, CallerArn: ADA };
    assert.deepEqual(await decisions(api, own), ["allowed", "implicitDeny"]);
    const ResourceOwner = "arn:aws:iam::222222222222:root";
    assert.deepEqual(await decisions(api, { ...own, ResourceOwner }), [
      "implicitDeny",
      "implicitDeny",
    ]);
    const { EvaluationResults } = await api.run("SimulateCustomPolicy", {
      ...own,
      PolicyInputList: [allowing("ecs:*")],
      ResourceOwner,
      ResourceArns: ["arn:aws:ecs:us-east-1:222222222222:cluster/x"],
      ActionNames: ["ecs:RunTask"],
    });
    assert.equal(EvaluationResults?.[0]?.EvalDecision, "allowed");
    assert.deepEqual(EvaluationResults?.[0]?.EvalDecisionDetails, {
      "IAM Policy": "allowed",
      "Resource Policy": "allowed",
    });
  });

  test("many results come in pages", async (t) => {
    const { run } = await startApi(t);
    const ActionNames = Array.from({ length: 7 }, (_, i) => `ecs:Action${i}`);
    const seen: (string | undefined)[] = [];
    let Marker: string | undefined;
    do {
      const page = await run("SimulateCustomPolicy", {
        PolicyInputList: [allowing("ecs:*")],
        ActionNames,
        MaxItems: 3,
        Marker,
      });
      seen.push(...(page.EvaluationResults ?? []).map((each) => each.EvalActionName));
      Marker = page.Marker;
    } while (Marker !== undefined);
    assert.deepEqual(seen, ActionNames);
  });

  const bad: readonly [string, object, RegExp][] = [
    ["a wildcard for an action", { ActionNames: ["ecs:*"] }, /^Invalid action name: ecs:\*$/],
    ["no actions", { ActionNames: [] }, /^ActionNames cannot be empty/],
    ["a resource that is no ARN", { ResourceArns: ["cluster"] }, /Invalid Resource Arn/],
    ["a malformed policy", { PolicyInputList: ["{}"] }, /^PolicyInputList\.1: Syntax errors/],
    ["a caller that is none", { CallerArn: "arn:aws:iam::1:user/x" }, /^Invalid CallerArn/],
    [
      "two values for a single key",
      {
        ContextEntries: [
          { ContextKeyName: "k", ContextKeyType: "string", ContextKeyValues: ["a", "b"] },
        ],
      },
      /must have exactly one value/,
    ],
  ];
  for (const [what, input, message] of bad) {
    test(`refuses ${what}`, async (t) => {
      const { run } = await startApi(t);
      const good = { PolicyInputList: [allowing("ecs:*")], ActionNames: ["ecs:RunTask"] };
      await assert.rejects(run("SimulateCustomPolicy", { ...good, ...input }), {
        code: "InvalidInputException",
        message,
      });
    });
  }
});

describe("SimulatePrincipalPolicy", () => {
  test("takes a user's own policies, its groups', its boundary and its tags", async (t) => {
    const { run } = await startApi(t);
    await run("CreateUser", { UserName: "ada", Tags: [{ Key: "team", Value: "a" }] });
    await run("CreateGroup", { GroupName: "dev" });
    await run("AddUserToGroup", { UserName: "ada", GroupName: "dev" });
    await run("PutGroupPolicy", {
      GroupName: "dev",
      PolicyName: "stop",
      PolicyDocument: policy({
        Effect: "Allow",
        Action: "ecs:StopTask",
        Resource: "*",
        Condition: { StringEquals: { "aws:PrincipalTag/team": "a" } },
      }),
    });
    await run("AttachUserPolicy", {
      UserName: "ada",
      PolicyArn: "arn:aws:iam::aws:policy/ReadOnlyAccess",
    });
    const simulate = async (PolicySourceArn: string): Promise<unknown> => {
      const { EvaluationResults } = await run("SimulatePrincipalPolicy", {
        PolicySourceArn,
        ActionNames: ["ecs:StopTask", "ecs:DescribeTasks", "ecs:RunTask"],
      });
      return EvaluationResults?.map(({ EvalDecision, MatchedStatements }) => [
        EvalDecision,
        ...(MatchedStatements ?? []).map(({ SourcePolicyId }) => SourcePolicyId),
      ]);
    };
    assert.deepEqual(await simulate(ADA), [
      ["allowed", "group_dev_stop"],
      ["allowed", "ReadOnlyAccess"],
      ["implicitDeny"],
    ]);
    await run("PutUserPermissionsBoundary", {
      UserName: "ada",
      PermissionsBoundary: "arn:aws:iam::aws:policy/IAMReadOnlyAccess",
    });
    assert.deepEqual(await simulate(ADA), [["implicitDeny"], ["implicitDeny"], ["implicitDeny"]]);
    await run("UntagUser", { UserName: "ada", TagKeys: ["TEAM"] });
    await run("DeleteUserPermissionsBoundary", { UserName: "ada" });
    assert.deepEqual((await simulate(ADA)) as unknown[][], [
      ["implicitDeny"],
      ["allowed", "ReadOnlyAccess"],
      ["implicitDeny"],
    ]);
    const { ContextKeyNames } = await run("GetContextKeysForPrincipalPolicy", {
      PolicySourceArn: ADA,
    });
    assert.deepEqual(ContextKeyNames, ["aws:PrincipalTag/team"]);
  });

  test("takes roles and groups, and policies in addition", async (t) => {
    const { run } = await startApi(t);
    await run("CreateRole", { RoleName: "r", AssumeRolePolicyDocument: trusting() });
    await run("CreateGroup", { GroupName: "dev" });
    for (const PolicySourceArn of ["role/r", "group/dev"]) {
      const { EvaluationResults } = await run("SimulatePrincipalPolicy", {
        PolicySourceArn: `arn:aws:iam::${ACCOUNT}:${PolicySourceArn}`,
        PolicyInputList: [allowing("ecs:RunTask")],
        ActionNames: ["ecs:RunTask", "ecs:StopTask"],
      });
      assert.deepEqual(
        EvaluationResults?.map(({ EvalDecision }) => EvalDecision),
        ["allowed", "implicitDeny"],
      );
    }
  });

  test("a principal that is not there is said by name", async (t) => {
    const { run } = await startApi(t);
    await assert.rejects(
      run("SimulatePrincipalPolicy", { PolicySourceArn: ADA, ActionNames: ["ecs:RunTask"] }),
      { code: "NoSuchEntityException", message: "The user with name ada cannot be found." },
    );
    await assert.rejects(
      run("SimulatePrincipalPolicy", {
        PolicySourceArn: `arn:aws:iam::${ACCOUNT}:constructor/ada`,
        ActionNames: ["ecs:RunTask"],
      }),
      { code: "InvalidInputException" },
    );
  });
});

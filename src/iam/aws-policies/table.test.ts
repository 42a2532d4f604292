import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { findServiceLinkedRole } from "../model/service-linked-roles.ts";
import { evaluate } from "../policy/evaluate.ts";
import { parsePolicy } from "../policy/parse-policy.ts";
import { findAwsPolicy, listAwsPolicies } from "./table.ts";

describe("AWS's managed policies", () => {
  for (const { name, arn, document, policyId } of listAwsPolicies()) {
    test(`${name} is a valid document with an id of its own`, () => {
      assert.deepEqual(parsePolicy(document, "managed").ok ? "valid" : document, "valid");
      assert.match(policyId, /^ANPA[A-Z2-7]{17}$/);
      assert.equal(findAwsPolicy(arn)?.name, name);
    });
  }

  test("have ARNs with their paths", () => {
    const paths = {
      AmazonECSTaskExecutionRolePolicy: "service-role/",
      AmazonEC2ContainerServiceforEC2Role: "service-role/",
      AmazonECSServiceRolePolicy: "aws-service-role/",
      ViewOnlyAccess: "job-function/",
      AdministratorAccess: "",
    };
    for (const [name, path] of Object.entries(paths)) {
      assert.ok(findAwsPolicy(`arn:aws:iam::aws:policy/${path}${name}`), name);
    }
    assert.equal(
      findAwsPolicy("arn:aws:iam::aws:policy/AmazonECSTaskExecutionRolePolicy"),
      undefined,
    );
    assert.equal(findAwsPolicy("arn:aws:iam::111111111111:policy/AdministratorAccess"), undefined);
  });

  const ids = listAwsPolicies().map(({ policyId }) => policyId);
  test("no two have the same id", () => assert.equal(new Set(ids).size, ids.length));

  const decisions: readonly [policy: string, action: string, allowed: boolean][] = [
    ["AdministratorAccess", "ecs:DeleteCluster", true],
    ["PowerUserAccess", "ecs:DeleteCluster", true],
    ["PowerUserAccess", "iam:CreateUser", false],
    ["PowerUserAccess", "iam:CreateServiceLinkedRole", true],
    ["ReadOnlyAccess", "ecs:DescribeTasks", true],
    ["ReadOnlyAccess", "ecs:RunTask", false],
    ["ReadOnlyAccess", "secretsmanager:GetSecretValue", false],
    ["SecurityAudit", "iam:GetRole", true],
    ["SecurityAudit", "logs:GetLogEvents", false],
    ["IAMReadOnlyAccess", "iam:SimulatePrincipalPolicy", true],
    ["IAMReadOnlyAccess", "iam:PutUserPolicy", false],
    ["AmazonECS_FullAccess", "ecs:RunTask", true],
    ["AmazonECS_FullAccess", "iam:PassRole", false],
    ["AmazonEC2ContainerRegistryPowerUser", "ecr:PutImage", true],
    ["AmazonEC2ContainerRegistryReadOnly", "ecr:PutImage", false],
    ["CloudWatchAgentServerPolicy", "logs:PutLogEvents", true],
  ];
  for (const [name, action, allowed] of decisions) {
    test(`${name} ${allowed ? "allows" : "does not allow"} ${action}`, () => {
      const source = listAwsPolicies().find((policy) => policy.name === name);
      const parsed = parsePolicy(source?.document ?? "", "managed");
      const identity = parsed.ok ? [{ id: name, policy: parsed.policy }] : [];
      const caller = { kind: "user", accountId: "111111111111", arn: "arn" } as const;
      const { outcome } = evaluate({ caller, action, resource: "*", context: {} }, { identity });
      assert.equal(outcome === "allowed", allowed);
    });
  }

  test("passing a role is for tasks only", () => {
    const source = findAwsPolicy("arn:aws:iam::aws:policy/AmazonECS_FullAccess");
    const parsed = parsePolicy(source?.document ?? "", "managed");
    const identity = parsed.ok ? [{ id: "x", policy: parsed.policy }] : [];
    const passing = (service: string): string =>
      evaluate(
        {
          caller: { kind: "user", accountId: "111111111111", arn: "arn" },
          action: "iam:PassRole",
          resource: "arn:aws:iam::111111111111:role/any",
          context: { "iam:passedtoservice": service },
        },
        { identity },
      ).outcome;
    assert.equal(passing("ecs-tasks.amazonaws.com"), "allowed");
    assert.equal(passing("lambda.amazonaws.com"), "implicitDeny");
  });

  test("every service-linked role finds its policy", () => {
    for (const service of [
      "ecs.amazonaws.com",
      "elasticloadbalancing.amazonaws.com",
      "autoscaling.amazonaws.com",
      "ecs.application-autoscaling.amazonaws.com",
      "appmesh.amazonaws.com",
    ]) {
      const { policyName } = findServiceLinkedRole(service) ?? {};
      assert.ok(findAwsPolicy(`arn:aws:iam::aws:policy/aws-service-role/${policyName}`), service);
    }
  });
});

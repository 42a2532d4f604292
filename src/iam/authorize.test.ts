import assert from "node:assert/strict";
import { test } from "node:test";
import type { PrincipalKind } from "../door/service.ts";
import { authorize } from "./authorize.ts";

const OWN = "arn:aws:ecs:us-east-1:111111111111:cluster/demo";
const FOREIGN = "arn:aws:ecs:us-east-1:222222222222:cluster/demo";

const CASES: readonly [PrincipalKind, string, string, boolean][] = [
  ["root", "ecs:RunTask", OWN, true],
  ["root", "logs:DeleteLogGroup", "*", true],
  ["root", "ecs:RunTask", FOREIGN, false],
  ["node", "ecs:RegisterContainerInstance", OWN, true],
  ["node", "ecs:RegisterContainerInstance", FOREIGN, false],
  ["node", "ecs:Poll", OWN, true],
  ["node", "ecs:SubmitTaskStateChange", OWN, true],
  ["node", "ecs:SubmitTaskStateChange", FOREIGN, true],
  ["node", "gantry:NodeFeed", "*", true],
  ["node", "logs:PutLogEvents", "*", true],
  ["node", "gantry:RenewNodeKeys", "*", true],
  ["node", "gantry:CreateJoinToken", "*", false],
  ["join", "gantry:JoinNode", "*", true],
  ["join", "gantry:CreateJoinToken", "*", false],
  ["join", "gantry:RenewNodeKeys", "*", false],
  ["join", "ecs:ListClusters", "*", false],
  ["node", "ecs:RunTask", OWN, false],
  ["node", "ecs:StopTask", OWN, false],
  ["node", "ecs:DeleteCluster", OWN, false],
  ["task-execution", "logs:PutLogEvents", "*", true],
  ["task-execution", "ecr:GetAuthorizationToken", "*", true],
  ["task-execution", "logs:GetLogEvents", "*", false],
  ["task-execution", "ecs:SubmitTaskStateChange", OWN, false],
  ["task", "logs:PutLogEvents", "*", false],
  ["task", "ecs:DescribeTasks", OWN, false],
];

for (const [kind, action, resource, allowed] of CASES) {
  test(`${kind} may ${allowed ? "" : "not "}${action} on ${resource}`, () => {
    const decision = authorize({
      principal: { accountId: "111111111111", arn: "arn", accessKeyId: "AKIA", kind },
      action,
      resources: [resource],
      origin: { region: "us-east-1", sourceIp: "::1", userAgent: undefined, isSecure: false },
      conditionsOf: () => ({}),
    });
    assert.equal(decision.allowed, allowed);
    if (!decision.allowed) {
      assert.match(
        decision.message,
        new RegExp(`^User: arn .* because no \\S+ policy allows the ${action} action$`),
      );
    }
  });
}

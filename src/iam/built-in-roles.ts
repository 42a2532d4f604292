import type { PrincipalKind } from "../door/service.ts";
import { assert } from "../lib/errors.ts";
import type { PrincipalPolicies } from "./policies-of.ts";
import { parsePolicy } from "./policy/parse-policy.ts";

/** Roles that are no records: nobody can change them, or assume them with STS. */
export type BuiltInRole = Extract<PrincipalKind, "node" | "join">;

export const ROLE_NAMES: Readonly<Record<BuiltInRole, string>> = {
  node: "gantry-node",
  join: "gantry-join",
};

// biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable
const OWN_ACCOUNT = "${aws:PrincipalAccount}";

/**
 * What one machine's agent and dataplane may do: AmazonEC2ContainerServiceforEC2Role, less what is not needed, and the
 * node feed. Which tasks, instances and streams are a machine's own is no matter of ARNs: the operations look it up.
 */
const NODE = [
  {
    Effect: "Allow",
    Action: [
      "ecr:GetAuthorizationToken",
      "ecs:DiscoverPollEndpoint",
      "gantry:NodeFeed",
      "gantry:RenewNodeKeys",
    ],
    Resource: "*",
  },
  {
    Effect: "Allow",
    Action: ["ecs:Poll", "ecs:StartTelemetrySession"],
    Resource: `arn:aws:ecs:*:${OWN_ACCOUNT}:container-instance/*`,
  },
  {
    Effect: "Allow",
    Action: "ecs:RegisterContainerInstance",
    Resource: `arn:aws:ecs:*:${OWN_ACCOUNT}:cluster/*`,
  },
  // What agents do that have no cluster configured.
  {
    Effect: "Allow",
    Action: "ecs:CreateCluster",
    Resource: `arn:aws:ecs:*:${OWN_ACCOUNT}:cluster/default`,
  },
  // A machine also runs tasks of accounts that it does not belong to, and reports on them.
  { Effect: "Allow", Action: "ecs:Submit*", Resource: "arn:aws:ecs:*:*:cluster/*" },
  // What a task may ask its agent for, whatever account the task is of.
  {
    Effect: "Allow",
    Action: "ecs:ListTagsForResource",
    Resource: ["arn:aws:ecs:*:*:task/*", `arn:aws:ecs:*:${OWN_ACCOUNT}:container-instance/*`],
  },
  {
    Effect: "Allow",
    Action: "ecs:TagResource",
    Resource: `arn:aws:ecs:*:${OWN_ACCOUNT}:container-instance/*`,
    Condition: { StringEquals: { "ecs:CreateAction": "RegisterContainerInstance" } },
  },
  {
    Effect: "Allow",
    Action: [
      "ecr:BatchCheckLayerAvailability",
      "ecr:BatchGetImage",
      "ecr:GetDownloadUrlForLayer",
      "logs:CreateLogGroup",
      "logs:CreateLogStream",
      "logs:DescribeLogStreams",
      "logs:PutLogEvents",
    ],
    Resource: [`arn:aws:ecr:*:${OWN_ACCOUNT}:*`, `arn:aws:logs:*:${OWN_ACCOUNT}:*`],
  },
];

/** What the holder of a join token may do. */
const JOIN = [{ Effect: "Allow", Action: "gantry:JoinNode", Resource: "*" }];

/** The one policy of each built-in role, compiled, as policies of a principal. */
export function builtInPolicies(): Readonly<Record<BuiltInRole, PrincipalPolicies>> {
  return { node: compile(ROLE_NAMES.node, NODE), join: compile(ROLE_NAMES.join, JOIN) };
}

function compile(name: string, statements: readonly object[]): PrincipalPolicies {
  const document = JSON.stringify({ Version: "2012-10-17", Statement: statements });
  const result = parsePolicy(document, "managed");
  assert(result.ok, `the policy of ${name} is not valid: ${result.ok ? "" : result.reason}`);
  const identity = [{ id: name, policy: result.policy }];
  return { arn: name, id: name, identity, boundary: undefined, tags: {} };
}

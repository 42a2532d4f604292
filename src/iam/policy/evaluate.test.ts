// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables are written like that.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  all,
  allow,
  type Case,
  CLUSTER,
  decide,
  deny,
  type Expected,
  FOREIGN,
  not,
  OTHER,
  other,
  outcomeOf,
  ROLE_ARN,
  root,
  service,
  session,
  to,
  USER_ARN,
  user,
} from "./evaluate.fixture.ts";
import { explainDenial } from "./explain.ts";

const IDENTITY: Readonly<Record<string, readonly [Case, Expected]>> = {
  "nothing is allowed by default": [{}, "no identity"],
  "an allow allows": [{ identity: [allow()] }, "allowed"],
  "an allow of something else does not": [{ identity: [other] }, "no identity"],
  "a deny wins over an allow": [{ identity: [allow(), deny()] }, "denied by identity"],
  "a deny wins whatever the order": [{ identity: [deny(), allow()] }, "denied by identity"],
  "a deny of everything wins": [{ identity: [all, deny({ Action: "*" })] }, "denied by identity"],
  "a deny of something else does not": [
    { identity: [allow(), deny({ Action: "ecs:StopTask" })] },
    "allowed",
  ],
  "actions have no case": [{ identity: [allow({ Action: "ECS:runtask" })] }, "allowed"],
  "requests have no case in their action": [
    { identity: [allow()], action: "ecs:RUNTASK" },
    "allowed",
  ],
  "actions may be listed": [{ identity: [allow({ Action: ["s3:*", "ecs:RunTask"] })] }, "allowed"],
  "* is every action": [{ identity: [all] }, "allowed"],
  "ecs:* is every action of ecs": [{ identity: [allow({ Action: "ecs:*" })] }, "allowed"],
  "ecs:Run* is": [{ identity: [allow({ Action: "ecs:Run*" })] }, "allowed"],
  "ecs:*Task is": [{ identity: [allow({ Action: "ecs:*Task" })] }, "allowed"],
  "ecs:RunTas? is": [{ identity: [allow({ Action: "ecs:RunTas?" })] }, "allowed"],
  "ecs:RunTask? is not": [{ identity: [allow({ Action: "ecs:RunTask?" })] }, "no identity"],
  "ecs:Run is not": [{ identity: [allow({ Action: "ecs:Run" })] }, "no identity"],
  "ec2:* is not": [{ identity: [allow({ Action: "ec2:*" })] }, "no identity"],
  "NotAction allows the others": [{ identity: [not("Action", "iam:*")] }, "allowed"],
  "NotAction leaves its own out": [{ identity: [not("Action", "ecs:*")] }, "no identity"],
  "Deny NotAction denies the others": [
    { identity: [all, not("Action", ["iam:*"], deny())] },
    "denied by identity",
  ],
  "Deny NotAction spares its own": [
    { identity: [all, not("Action", ["ecs:RunTask"], deny())] },
    "allowed",
  ],
  "a resource is matched whole": [{ identity: [allow({ Resource: CLUSTER })] }, "allowed"],
  "a resource has its case": [
    { identity: [allow({ Resource: CLUSTER.replace("prod", "Prod") })] },
    "no identity",
  ],
  "a resource's start is not enough": [
    { identity: [allow({ Resource: CLUSTER.slice(0, -1) })] },
    "no identity",
  ],
  "a resource may be one of several": [
    { identity: [allow({ Resource: ["arn:aws:ecs:::x", CLUSTER] })] },
    "allowed",
  ],
  "* in a resource goes over colons": [
    { identity: [allow({ Resource: "arn:aws:ecs:*" })] },
    "allowed",
  ],
  "* in a resource goes over slashes": [
    { identity: [allow({ Resource: "arn:aws:ecs:*:*:*prod" })] },
    "allowed",
  ],
  "? in a resource is one character": [
    { identity: [allow({ Resource: CLUSTER.replace("prod", "pro?") })] },
    "allowed",
  ],
  "a request about * needs Resource *": [
    { identity: [allow({ Resource: CLUSTER })], on: "*" },
    "no identity",
  ],
  "Resource * is good for a request about *": [{ identity: [allow()], on: "*" }, "allowed"],
  "NotResource allows the others": [
    { identity: [not("Resource", "arn:aws:ecs:*:*:cluster/test")] },
    "allowed",
  ],
  "NotResource leaves its own out": [{ identity: [not("Resource", CLUSTER)] }, "no identity"],
  "Deny NotResource spares its own": [
    { identity: [all, not("Resource", CLUSTER, deny())] },
    "allowed",
  ],
  "Deny NotResource denies the others": [
    { identity: [all, not("Resource", `${CLUSTER}2`, deny())] },
    "denied by identity",
  ],
  "a resource may hold a variable": [
    {
      identity: [allow({ Resource: "arn:aws:ecs:*:*:cluster/${aws:PrincipalTag/stage}" })],
      context: { "aws:principaltag/stage": "prod" },
    },
    "allowed",
  ],
  "a variable's wildcards are none": [
    {
      identity: [allow({ Resource: "arn:aws:ecs:*:*:cluster/${aws:PrincipalTag/stage}" })],
      context: { "aws:principaltag/stage": "*" },
    },
    "no identity",
  ],
  "a resource with an unknown variable is none": [
    { identity: [allow({ Resource: "arn:aws:ecs:*:*:cluster/prod${aws:username}" })] },
    "no identity",
  ],
  "a resource may have a default for its variable": [
    {
      identity: [allow({ Resource: "arn:aws:ecs:*:*:cluster/${aws:PrincipalTag/stage, 'prod'}" })],
    },
    "allowed",
  ],
  "a condition must hold": [
    { identity: [allow({ Condition: { StringEquals: { "aws:RequestedRegion": "eu-west-1" } } })] },
    "no identity",
  ],
  "all operators of a condition must hold": [
    {
      identity: [
        allow({
          Condition: {
            StringEquals: { "aws:RequestedRegion": "us-east-1" },
            Bool: { "aws:SecureTransport": true },
          },
        }),
      ],
      context: { "aws:requestedregion": "us-east-1", "aws:securetransport": "false" },
    },
    "no identity",
  ],
  "all keys of an operator must hold": [
    {
      identity: [allow({ Condition: { StringEquals: { a: "1", b: "2" } } })],
      context: { a: "1", b: "1" },
    },
    "no identity",
  ],
  "a condition that holds lets the statement speak": [
    {
      identity: [allow({ Condition: { StringEquals: { a: ["0", "1"], b: 2 } } })],
      context: { a: "1", b: "2" },
    },
    "allowed",
  ],
  "a deny whose condition fails is none": [
    { identity: [all, deny({ Condition: { Bool: { "aws:SecureTransport": "false" } } })] },
    "allowed",
  ],
  "Deny …IfExists takes hold when the key is absent": [
    {
      identity: [
        all,
        deny({ Condition: { BoolIfExists: { "aws:MultiFactorAuthPresent": "false" } } }),
      ],
    },
    "denied by identity",
  ],
  "a role's session is judged alike": [{ by: session, identity: [allow()] }, "allowed"],
};

const LIMITS: Readonly<Record<string, readonly [Case, Expected]>> = {
  "a boundary alone allows nothing": [{ boundary: [all] }, "no identity"],
  "a boundary that allows lets pass": [{ identity: [allow()], boundary: [all] }, "allowed"],
  "a boundary that does not, does not": [{ identity: [all], boundary: [other] }, "no boundary"],
  "an empty boundary lets nothing pass": [{ identity: [all], boundary: [] }, "no boundary"],
  "a deny in a boundary wins": [{ identity: [all], boundary: [all, deny()] }, "denied by boundary"],
  "a session policy alone allows nothing": [{ by: session, session: [all] }, "no identity"],
  "a session policy that allows lets pass": [
    { by: session, identity: [all], session: [allow()] },
    "allowed",
  ],
  "a session policy that does not, does not": [
    { by: session, identity: [all], session: [other] },
    "no session",
  ],
  "a deny in a session policy wins": [
    { by: session, identity: [all], session: [all, deny()] },
    "denied by session",
  ],
  "all three must allow": [
    { by: session, identity: [all], boundary: [all], session: [allow()] },
    "allowed",
  ],
  "the boundary is named before the session policy": [
    { by: session, identity: [all], boundary: [other], session: [other] },
    "no boundary",
  ],
  "root needs no policy": [{ by: root }, "allowed"],
  "root needs none for *": [{ by: root, on: "*" }, "allowed"],
  "root of another account needs the resource's": [{ by: root, on: FOREIGN }, "no resource"],
};

const TABLES = { IDENTITY, LIMITS };
for (const [name, cases] of Object.entries(TABLES)) {
  describe(name.toLowerCase().replace("_", " "), () => {
    for (const [title, [input, expected]] of Object.entries(cases)) {
      test(title, () => assert.equal(outcomeOf(decide(input)), expected));
    }
  });
}

test("a decision names every statement that spoke", () => {
  const decision = decide({
    identity: [{ ...allow(), Sid: "Run" }, other, { ...deny(), Sid: "Never" }],
    boundary: [all],
  });
  assert.deepEqual(
    decision.matches.map(({ role, attached, statement }) => [role, attached.id, statement.sid]),
    [
      ["identity", "identity.0", "Run"],
      ["identity", "identity.2", "Never"],
      ["boundary", "boundary.0", undefined],
    ],
  );
  assert.equal(decision.outcome === "explicitDeny" && decision.by.statement.sid, "Never");
});

const DENIALS: readonly (readonly [Case, string])[] = [
  [{}, "because no identity-based policy allows the ecs:RunTask action"],
  [{ identity: [all, deny()] }, "with an explicit deny in an identity-based policy"],
  [
    { identity: [all], boundary: [] },
    "because no permissions boundary allows the ecs:RunTask action",
  ],
  [{ boundary: [deny()] }, "with an explicit deny in a permissions boundary"],
  [{ identity: [all], session: [] }, "because no session policy allows the ecs:RunTask action"],
  [{ session: [deny()] }, "with an explicit deny in a session policy"],
  [{ key: [to({ AWS: OTHER })] }, "because no resource-based policy allows the ecs:RunTask action"],
  [{ resource: [deny({ Principal: "*" })] }, "with an explicit deny in a resource-based policy"],
];

test("AWS's words for a role that does not trust the caller", () => {
  const request = { caller: service, action: "sts:AssumeRole", resource: ROLE_ARN };
  assert.equal(
    explainDenial(request, decide({ by: service, trust: [] })),
    `User: ecs-tasks.amazonaws.com is not authorized to perform: sts:AssumeRole on resource: ${ROLE_ARN} because no role trust policy allows the sts:AssumeRole action`,
  );
});

for (const [input, why] of DENIALS) {
  test(`AWS's words: ${why}`, () => {
    const request = { caller: user, action: "ecs:RunTask", resource: CLUSTER };
    assert.equal(
      explainDenial(request, decide(input)),
      `User: ${USER_ARN} is not authorized to perform: ecs:RunTask on resource: ${CLUSTER} ${why}`,
    );
    assert.equal(explainDenial(request, decide({ by: root })), undefined);
  });
}

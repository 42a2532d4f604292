import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  all,
  allow,
  type Case,
  decide,
  deny,
  type Elements,
  type Expected,
  FOREIGN,
  ISSUER,
  OTHER,
  OWN,
  other,
  outcomeOf,
  ROLE_ARN,
  root,
  SESSION_ARN,
  service,
  session,
  to,
  USER_ARN,
  web,
} from "./evaluate.fixture.ts";

const SAME_ACCOUNT: Readonly<Record<string, readonly [Case, Expected]>> = {
  "a resource that names the user needs no other policy": [
    { resource: [to({ AWS: USER_ARN })] },
    "allowed",
  ],
  "a user may be named by unique id": [
    { resource: [to({ AWS: "AIDAEXAMPLEEXAMPLE01" })] },
    "allowed",
  ],
  "a user of the same name with another id is someone else": [
    { resource: [to({ AWS: "AIDAEXAMPLEEXAMPLE02" })] },
    "no identity",
  ],
  "a resource that names someone else does not": [
    { resource: [to({ AWS: `arn:aws:iam::${OWN}:user/bob` })] },
    "no identity",
  ],
  "a resource that does not is not missed when the user's own allow": [
    { identity: [all], resource: [to({ AWS: `arn:aws:iam::${OWN}:user/bob` })] },
    "allowed",
  ],
  "a resource that names the user is not limited by a boundary": [
    { resource: [to({ AWS: USER_ARN })], boundary: [other] },
    "allowed",
  ],
  "a boundary may still deny": [
    { resource: [to({ AWS: USER_ARN })], boundary: [deny()] },
    "denied by boundary",
  ],
  "a resource open to everyone is open to the user": [{ resource: [to("*")] }, "allowed"],
  "a resource open to every account is, too": [{ resource: [to({ AWS: "*" })] }, "allowed"],
  "a resource that names the account leaves it to the account": [
    { resource: [to({ AWS: OWN })] },
    "no identity",
  ],
  "… written as its root, too": [
    { resource: [to({ AWS: `arn:aws:iam::${OWN}:root` })] },
    "no identity",
  ],
  "a resource's deny wins": [
    { identity: [all], resource: [deny({ Principal: "*" })] },
    "denied by resource",
  ],
  "a resource's deny of the account is one of its users": [
    { identity: [all], resource: [deny({ Principal: { AWS: OWN } })] },
    "denied by resource",
  ],
  "a resource's deny of the role is one of its sessions": [
    { by: session, identity: [all], resource: [deny({ Principal: { AWS: ROLE_ARN } })] },
    "denied by resource",
  ],
  "a resource's deny wins over root": [
    { by: root, resource: [deny({ Principal: "*" })] },
    "denied by resource",
  ],
  "a resource's deny of someone else does not count": [
    { identity: [all], resource: [deny({ Principal: { AWS: OTHER } })] },
    "allowed",
  ],
  "a resource that names the session needs no other policy": [
    { by: session, resource: [to({ AWS: SESSION_ARN })] },
    "allowed",
  ],
  "a resource that names the session passes boundary and session policy": [
    { by: session, resource: [to({ AWS: SESSION_ARN })], boundary: [other], session: [other] },
    "allowed",
  ],
  "a resource that names the role stands for a policy of the role": [
    { by: session, resource: [to({ AWS: ROLE_ARN })] },
    "allowed",
  ],
  "a role may be named by unique id": [
    { by: session, resource: [to({ AWS: "AROAEXAMPLEEXAMPLE01" })] },
    "allowed",
  ],
  "a resource that names the role is limited by its boundary": [
    { by: session, resource: [to({ AWS: ROLE_ARN })], boundary: [other] },
    "no boundary",
  ],
  "a resource that names the role is limited by a session policy": [
    { by: session, resource: [to({ AWS: ROLE_ARN })], session: [other] },
    "no session",
  ],
  "a resource open to everyone is limited for a session": [
    { by: session, resource: [to("*")], session: [other] },
    "no session",
  ],
  "the closest of several names counts": [
    {
      by: session,
      resource: [to({ AWS: [OWN, ROLE_ARN] }), to({ AWS: SESSION_ARN })],
      session: [other],
    },
    "allowed",
  ],
  "Deny NotPrincipal denies who is not listed": [
    { identity: [all], resource: [{ ...deny(), NotPrincipal: { AWS: OTHER } }] },
    "denied by resource",
  ],
  "Deny NotPrincipal spares who is listed with the account": [
    { identity: [all], resource: [{ ...deny(), NotPrincipal: { AWS: [USER_ARN, OWN] } }] },
    "allowed",
  ],
  "Deny NotPrincipal does not spare who is listed without": [
    { identity: [all], resource: [{ ...deny(), NotPrincipal: { AWS: USER_ARN } }] },
    "denied by resource",
  ],
  "Deny NotPrincipal wants session, role and account": [
    {
      by: session,
      identity: [all],
      resource: [{ ...deny(), NotPrincipal: { AWS: [SESSION_ARN, ROLE_ARN, OWN] } }],
    },
    "allowed",
  ],
  "Deny NotPrincipal hits everyone with a boundary": [
    {
      identity: [all],
      boundary: [all],
      resource: [{ ...deny(), NotPrincipal: { AWS: [USER_ARN, OWN] } }],
    },
    "denied by resource",
  ],
  "a key's policy must allow": [{ identity: [all], key: [to({ AWS: OTHER })] }, "no resource"],
  "a key's policy must allow root as well": [
    { by: root, key: [to({ AWS: USER_ARN })] },
    "no resource",
  ],
  "a key's policy may leave it to the account": [
    { identity: [all], key: [to({ AWS: OWN })] },
    "allowed",
  ],
  "a key's policy that does, allows nobody yet": [{ key: [to({ AWS: OWN })] }, "no identity"],
};

const CROSS_ACCOUNT: Readonly<Record<string, readonly [Case, Expected]>> = {
  "one's own policies are not enough elsewhere": [{ identity: [all], on: FOREIGN }, "no resource"],
  "the resource's policy is not enough either": [
    { on: FOREIGN, resource: [to({ AWS: USER_ARN })] },
    "no identity",
  ],
  "both are": [{ identity: [all], on: FOREIGN, resource: [to({ AWS: USER_ARN })] }, "allowed"],
  "the resource may name the account": [
    { identity: [all], on: FOREIGN, resource: [to({ AWS: OWN })] },
    "allowed",
  ],
  "the resource may name everyone": [
    { identity: [all], on: FOREIGN, resource: [to("*")] },
    "allowed",
  ],
  "naming the role is not enough elsewhere": [
    { by: session, on: FOREIGN, resource: [to({ AWS: ROLE_ARN })] },
    "no identity",
  ],
  "a boundary counts elsewhere": [
    { identity: [all], boundary: [other], on: FOREIGN, resource: [to({ AWS: USER_ARN })] },
    "no boundary",
  ],
  "a session policy counts elsewhere": [
    {
      by: session,
      identity: [all],
      session: [other],
      on: FOREIGN,
      resource: [to({ AWS: SESSION_ARN })],
    },
    "no session",
  ],
  "root needs the other account's word only": [
    { by: root, on: FOREIGN, resource: [to({ AWS: OWN })] },
    "allowed",
  ],
  "AWS's own policies are everyone's": [
    { identity: [all], on: "arn:aws:iam::aws:policy/AdministratorAccess" },
    "allowed",
  ],
};

const assume = (principal: unknown): Elements => ({
  Effect: "Allow",
  Action: "sts:AssumeRole",
  Principal: principal,
});
const mayAssume = allow({ Action: "sts:AssumeRole", Resource: ROLE_ARN });
const TRUST: Readonly<Record<string, readonly [Case, Expected]>> = {
  "a role trusts nobody it does not name": [
    { identity: [all], trust: [assume({ AWS: OTHER })] },
    "no trust",
  ],
  "a trusted user needs no other policy": [{ trust: [assume({ AWS: USER_ARN })] }, "allowed"],
  "a trusted account decides who of it": [{ trust: [assume({ AWS: OWN })] }, "no identity"],
  "a trusted account may let its user": [
    { identity: [mayAssume], trust: [assume({ AWS: OWN })] },
    "allowed",
  ],
  "a user's policy is not enough": [
    { identity: [mayAssume], trust: [assume({ Service: "ecs.amazonaws.com" })] },
    "no trust",
  ],
  "a trusted service may": [
    { by: service, trust: [assume({ Service: "ecs-tasks.amazonaws.com" })] },
    "allowed",
  ],
  "another service may not": [
    { by: service, trust: [assume({ Service: "ecs.amazonaws.com" })] },
    "no trust",
  ],
  "every account is no service": [{ by: service, trust: [assume({ AWS: "*" })] }, "no trust"],
  "a trust may have a condition": [
    {
      by: service,
      trust: [
        {
          ...assume({ Service: "ecs-tasks.amazonaws.com" }),
          Condition: { ArnLike: { "aws:SourceArn": `arn:aws:ecs:*:${OWN}:*` } },
        },
      ],
      context: { "aws:sourcearn": `arn:aws:ecs:us-east-1:${OTHER}:task/x` },
    },
    "no trust",
  ],
  "an external id must be the one": [
    {
      identity: [mayAssume],
      trust: [
        { ...assume({ AWS: OWN }), Condition: { StringEquals: { "sts:ExternalId": "secret" } } },
      ],
      context: { "sts:externalid": "guess" },
    },
    "no trust",
  ],
  "a trust may deny": [
    {
      trust: [assume({ AWS: USER_ARN }), { ...assume({ AWS: OWN }), Effect: "Deny" }],
    },
    "denied by trust",
  ],
  "a session may take on another role that trusts its own": [
    { by: session, trust: [assume({ AWS: ROLE_ARN })] },
    "allowed",
  ],
  "a trusted provider's users may": [
    {
      by: web,
      action: "sts:AssumeRoleWithWebIdentity",
      trust: [{ ...assume({ Federated: ISSUER }), Action: "sts:AssumeRoleWithWebIdentity" }],
    },
    "allowed",
  ],
  "a trusted provider's users may only what is said": [
    {
      by: web,
      action: "sts:AssumeRoleWithWebIdentity",
      trust: [assume({ Federated: ISSUER })],
    },
    "no trust",
  ],
};

const TABLES = { SAME_ACCOUNT, CROSS_ACCOUNT, TRUST };
for (const [name, cases] of Object.entries(TABLES)) {
  describe(name.toLowerCase().replace("_", " "), () => {
    for (const [title, [input, expected]] of Object.entries(cases)) {
      test(title, () => assert.equal(outcomeOf(decide(input)), expected));
    }
  });
}

import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import type { AccessDecision, AccessRequest } from "../door/authorize.ts";
import type { Principal } from "../door/service.ts";
import { type Access, createAccess } from "./access.ts";
import { ACCOUNT, type IamKit, startIam } from "./iam.fixture.ts";
import { policyKey, roleKey, userKey } from "./model/keys.ts";
import type { ManagedPolicy, Role, User } from "./model/records.ts";
import { buildRole, writeRole } from "./model/role.fixture.ts";

const OTHER = "222222222222";
const OWN_CLUSTER = `arn:aws:ecs:us-east-1:${ACCOUNT}:cluster/demo`;
const FOREIGN_CLUSTER = `arn:aws:ecs:us-east-1:${OTHER}:cluster/demo`;
const ORIGIN = { region: "us-east-1", sourceIp: "10.0.0.1", userAgent: "cli", isSecure: false };

interface Kit {
  readonly iam: IamKit;
  readonly access: Access;
  ask(principal: Principal, action: string, more?: Partial<AccessRequest>): AccessDecision;
}

async function start(t: TestContext, mayNode = true): Promise<Kit> {
  const iam = await startIam(t);
  const sessions = { openSession: () => undefined };
  const access = createAccess({ ...iam.deps, sessions, mayNode: () => mayNode });
  return {
    iam,
    access,
    ask: (principal, action, more = {}) =>
      access.authorize({
        principal,
        action,
        resources: [OWN_CLUSTER],
        origin: ORIGIN,
        conditionsOf: () => ({}),
        ...more,
      }),
  };
}

function document(...statements: readonly object[]): string {
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: statements.map((one) => ({ Effect: "Allow", Action: "*", Resource: "*", ...one })),
  });
}

function user(...policies: readonly string[]): User {
  return {
    accountId: ACCOUNT,
    userName: "ada",
    userId: "AIDAADA",
    path: "/",
    groupIds: [],
    tags: { team: "blue" },
    inlinePolicies: policies.map((text, index) => ({ policyName: `p${index}`, document: text })),
    attachedPolicyArns: [],
    createdAt: 1,
  };
}

const ADA: Principal = {
  accountId: ACCOUNT,
  arn: `arn:aws:iam::${ACCOUNT}:user/ada`,
  accessKeyId: "AKIAADA",
  kind: "user",
  userId: "AIDAADA",
};
const SESSION: Principal = {
  accountId: ACCOUNT,
  arn: `arn:aws:sts::${ACCOUNT}:assumed-role/deploy/ci`,
  accessKeyId: "ASIA1",
  kind: "role-session",
  userId: "AROADEPLOY:ci",
  session: { issuedAt: 5_000, roleArn: `arn:aws:iam::${ACCOUNT}:role/deploy` },
};
const ROOT: Principal = {
  accountId: ACCOUNT,
  arn: `arn:aws:iam::${ACCOUNT}:root`,
  accessKeyId: "AKIAROOT",
  kind: "root",
};

const write = (kit: Kit, value: User): Promise<void> =>
  kit.iam.write({ key: userKey(ACCOUNT, value.userName), value });

function why(decision: AccessDecision): string {
  return decision.allowed ? "allowed" : decision.message;
}

describe("root", () => {
  test("may do everything in its own account, and nothing in another", async (t) => {
    const { ask } = await start(t);
    assert.ok(ask(ROOT, "ecs:DeleteCluster").allowed);
    assert.ok(ask(ROOT, "logs:PutLogEvents", { resources: ["*"] }).allowed);
    assert.equal(
      why(ask(ROOT, "ecs:RunTask", { resources: [OWN_CLUSTER, FOREIGN_CLUSTER] })),
      `User: ${ROOT.arn} is not authorized to perform: ecs:RunTask on resource: ${FOREIGN_CLUSTER} because no resource-based policy allows the ecs:RunTask action`,
    );
  });
});

describe("a user", () => {
  test("has no rights but those of its policies, which count from the next call", async (t) => {
    const kit = await start(t);
    await write(kit, user());
    assert.equal(
      why(kit.ask(ADA, "ecs:RunTask")),
      `User: ${ADA.arn} is not authorized to perform: ecs:RunTask on resource: ${OWN_CLUSTER} because no identity-based policy allows the ecs:RunTask action`,
    );
    await write(kit, user(document({ Action: "ecs:RunTask" })));
    assert.ok(kit.ask(ADA, "ecs:RunTask").allowed);
    assert.ok(!kit.ask(ADA, "ecs:StopTask").allowed);
    await write(kit, user(document({}), document({ Effect: "Deny", Action: "ecs:Run*" })));
    assert.equal(
      why(kit.ask(ADA, "ecs:RunTask")),
      `User: ${ADA.arn} is not authorized to perform: ecs:RunTask on resource: ${OWN_CLUSTER} with an explicit deny in an identity-based policy`,
    );
  });

  test("must be allowed each of the resources, and something where none is named", async (t) => {
    const kit = await start(t);
    const other = `arn:aws:ecs:us-east-1:${ACCOUNT}:cluster/other`;
    await write(kit, user(document({ Resource: OWN_CLUSTER })));
    assert.ok(kit.ask(ADA, "ecs:DescribeClusters").allowed);
    const both = kit.ask(ADA, "ecs:DescribeClusters", { resources: [OWN_CLUSTER, other] });
    assert.match(why(both), /on resource: \S+cluster\/other /);
    assert.ok(!kit.ask(ADA, "ecs:DescribeClusters", { resources: [] }).allowed);
  });

  test("of the same name as one that was deleted is another one", async (t) => {
    const kit = await start(t);
    await write(kit, { ...user(document({})), userId: "AIDAOTHER" });
    assert.ok(!kit.ask(ADA, "ecs:RunTask").allowed);
  });

  const boundary: ManagedPolicy = {
    accountId: ACCOUNT,
    policyName: "limit",
    policyId: "ANPALIMIT",
    path: "/",
    description: "",
    versions: [{ versionId: "v1", document: document({ Action: "ecs:Describe*" }), createdAt: 1 }],
    defaultVersionId: "v1",
    lastVersionNumber: 1,
    tags: {},
    createdAt: 1,
    updatedAt: 1,
  };

  test("can do no more than its permissions boundary", async (t) => {
    const kit = await start(t);
    const permissionsBoundary = `arn:aws:iam::${ACCOUNT}:policy/limit`;
    await kit.iam.write({ key: policyKey(ACCOUNT, "limit"), value: boundary });
    await write(kit, { ...user(document({})), permissionsBoundary });
    assert.ok(kit.ask(ADA, "ecs:DescribeClusters").allowed);
    assert.match(
      why(kit.ask(ADA, "ecs:RunTask")),
      /because no permissions boundary allows the ecs:RunTask action$/,
    );
  });

  const conditions: readonly [string, object, boolean][] = [
    ["the address", { IpAddress: { "aws:SourceIp": "10.0.0.0/8" } }, true],
    ["another address", { IpAddress: { "aws:SourceIp": "192.168.0.0/16" } }, false],
    ["TLS", { Bool: { "aws:SecureTransport": "true" } }, false],
    ["the region", { StringEquals: { "aws:RequestedRegion": "us-east-1" } }, true],
    ["the time", { DateGreaterThan: { "aws:CurrentTime": "2026-10-31T00:00:00Z" } }, true],
    ["the program", { StringLike: { "aws:UserAgent": "cli*" } }, true],
    ["the user's name", { StringEquals: { "aws:username": "ada" } }, true],
    ["the user's id", { StringEquals: { "aws:userid": "AIDAADA" } }, true],
    ["the user's tags", { StringEquals: { "aws:PrincipalTag/team": "blue" } }, true],
    ["the principal's ARN", { ArnLike: { "aws:PrincipalArn": "arn:aws:iam::*:user/a*" } }, true],
    ["the resource's account", { StringEquals: { "aws:ResourceAccount": ACCOUNT } }, true],
    ["a service in between", { Bool: { "aws:ViaAWSService": "true" } }, false],
    ["a session's age", { Null: { "aws:TokenIssueTime": "true" } }, true],
    ["the operation's keys", { StringEquals: { "ecs:cluster": OWN_CLUSTER } }, true],
    ["tags that are passed", { StringEquals: { "aws:RequestTag/Env": "prod" } }, true],
    ["the keys of those", { "ForAllValues:StringEquals": { "aws:TagKeys": ["Env"] } }, false],
  ];
  for (const [what, Condition, allowed] of conditions) {
    test(`is ${allowed ? "allowed" : "refused"} by a condition on ${what}`, async (t) => {
      const kit = await start(t);
      await write(kit, user(document({ Condition })));
      const keys = {
        "ecs:cluster": OWN_CLUSTER,
        "aws:RequestTag/Env": "prod",
        "aws:TagKeys": ["Env", "Team"],
        "ecs:service": undefined,
      };
      assert.equal(kit.ask(ADA, "ecs:RunTask", { conditionsOf: () => keys }).allowed, allowed);
    });
  }
});

describe("a role's session", () => {
  const deploy = (overrides: Partial<Role>): Role =>
    buildRole({ roleName: "deploy", roleId: "AROADEPLOY", ...overrides });
  const inline = (...statements: readonly object[]): Role["inlinePolicies"] => [
    { policyName: "own", document: document(...statements) },
  ];
  const writeDeploy = (kit: Kit, overrides: Partial<Role>): Promise<void> =>
    kit.iam.write({ key: roleKey(ACCOUNT, "deploy"), value: deploy(overrides) });

  test("has the rights of its role, as long as it is that role", async (t) => {
    const kit = await start(t);
    assert.ok(!kit.ask(SESSION, "ecs:RunTask").allowed);
    await writeDeploy(kit, { inlinePolicies: inline({ Action: "ecs:*" }) });
    assert.ok(kit.ask(SESSION, "ecs:RunTask").allowed);
    assert.ok(!kit.ask(SESSION, "logs:PutLogEvents").allowed);
    await writeDeploy(kit, { inlinePolicies: inline({}), roleId: "AROANEW" });
    assert.ok(!kit.ask(SESSION, "ecs:RunTask").allowed);
  });

  test("can do no more than the policies that were passed, in text and by ARN", async (t) => {
    const kit = await start(t);
    await writeDeploy(kit, { inlinePolicies: inline({}) });
    const withSession = (more: Partial<NonNullable<Principal["session"]>>): Principal => ({
      ...SESSION,
      session: { issuedAt: 5_000, roleArn: `arn:aws:iam::${ACCOUNT}:role/deploy`, ...more },
    });
    const narrow = withSession({ policies: [document({ Action: "ecs:List*" })] });
    assert.ok(kit.ask(narrow, "ecs:ListClusters").allowed);
    assert.match(why(kit.ask(narrow, "ecs:RunTask")), /because no session policy allows the/);
    const arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";
    const managed = withSession({ policyArns: [arn] });
    assert.ok(kit.ask(managed, "logs:PutLogEvents", { resources: ["*"] }).allowed);
    assert.ok(!kit.ask(managed, "ecs:RunTask").allowed);
    const gone = withSession({ policyArns: [`arn:aws:iam::${ACCOUNT}:policy/gone`] });
    assert.ok(!kit.ask(gone, "ecs:RunTask").allowed, "a policy that was deleted allows nothing");
  });

  test("is known by role, tags, source identity and age", async (t) => {
    const kit = await start(t);
    await writeDeploy(kit, {
      tags: { team: "red", stage: "prod" },
      inlinePolicies: inline({
        Condition: {
          ArnEquals: { "aws:PrincipalArn": `arn:aws:iam::${ACCOUNT}:role/deploy` },
          StringEquals: {
            "aws:PrincipalTag/team": "blue",
            "aws:PrincipalTag/stage": "prod",
            "aws:SourceIdentity": "ada",
            "aws:userid": "AROADEPLOY:ci",
          },
          DateLessThan: { "aws:TokenIssueTime": "1970-01-01T00:01:00Z" },
          Null: { "aws:username": "true" },
        },
      }),
    });
    const session = { ...SESSION.session, issuedAt: 5_000 };
    const tagged = { ...SESSION, session: { ...session, tags: { team: "blue" } } };
    assert.ok(!kit.ask(tagged, "ecs:RunTask").allowed);
    const identified = { ...tagged, session: { ...tagged.session, sourceIdentity: "ada" } };
    assert.ok(kit.ask(identified, "ecs:RunTask").allowed);
  });

  test("opens another role only if that one's trust policy lets it", async (t) => {
    const kit = await start(t);
    await writeDeploy(kit, { inlinePolicies: inline({}) });
    const target = `arn:aws:iam::${ACCOUNT}:role/target`;
    const assume = (): AccessDecision =>
      kit.ask(SESSION, "sts:AssumeRole", { resources: [target] });
    const expected = /is not authorized to perform: sts:AssumeRole on resource: \S+role\/target/;
    assert.match(why(assume()), expected);
    const trust = (AWS: string): string =>
      document({ Principal: { AWS }, Action: "sts:AssumeRole", Resource: undefined });
    await kit.iam.write(writeRole({ roleName: "target" }));
    assert.match(why(assume()), expected, "it trusts a service");
    await kit.iam.write(writeRole({ roleName: "target", trustPolicy: trust(ACCOUNT) }));
    assert.ok(assume().allowed);
    await kit.iam.write(writeRole({ roleName: "target", trustPolicy: trust(OTHER) }));
    assert.match(why(assume()), expected);
  });
});

describe("built-in roles", () => {
  const node: Principal = {
    accountId: ACCOUNT,
    arn: `arn:aws:sts::${ACCOUNT}:assumed-role/gantry-node/i-1`,
    accessKeyId: "AKIANODE",
    kind: "node",
  };
  const join: Principal = { ...node, arn: node.arn.replace("node/i-1", "join/1"), kind: "join" };
  const instance = `arn:aws:ecs:us-east-1:${ACCOUNT}:container-instance/demo/1`;
  const stream = `arn:aws:logs:us-east-1:${ACCOUNT}:log-group:g:log-stream:s`;
  const cases: readonly [Principal, string, string, boolean][] = [
    [node, "ecs:RegisterContainerInstance", OWN_CLUSTER, true],
    [node, "ecs:RegisterContainerInstance", FOREIGN_CLUSTER, false],
    [node, "ecs:CreateCluster", `arn:aws:ecs:us-east-1:${ACCOUNT}:cluster/default`, true],
    [node, "ecs:CreateCluster", OWN_CLUSTER, false],
    [node, "ecs:Poll", instance, true],
    [node, "ecs:Poll", instance.replace(ACCOUNT, OTHER), false],
    [node, "ecs:StartTelemetrySession", instance, true],
    [node, "ecs:SubmitTaskStateChange", OWN_CLUSTER, true],
    [node, "ecs:SubmitTaskStateChange", FOREIGN_CLUSTER, true],
    [node, "gantry:NodeFeed", "*", true],
    [node, "gantry:RenewNodeKeys", "*", true],
    [node, "gantry:JoinNode", "*", false],
    [node, "gantry:CreateJoinToken", "*", false],
    [node, "logs:PutLogEvents", stream, true],
    [node, "logs:PutLogEvents", stream.replace(ACCOUNT, OTHER), false],
    [node, "logs:GetLogEvents", stream, false],
    [node, "ecs:RunTask", OWN_CLUSTER, false],
    [node, "ecs:StopTask", OWN_CLUSTER, false],
    [node, "ecs:TagResource", instance, false],
    [node, "iam:PassRole", `arn:aws:iam::${ACCOUNT}:role/app`, false],
    [node, "sts:AssumeRole", `arn:aws:iam::${ACCOUNT}:role/app`, false],
    [join, "gantry:JoinNode", "*", true],
    [join, "gantry:RenewNodeKeys", "*", false],
    [join, "ecs:Poll", instance, false],
  ];
  for (const [principal, action, resource, allowed] of cases) {
    const verb = allowed ? "may" : "may not";
    test(`${principal.kind} ${verb} ${action} on ${resource}`, async (t) => {
      const { ask } = await start(t);
      assert.equal(ask(principal, action, { resources: [resource] }).allowed, allowed);
    });
  }

  test("a machine may only do what is its own", async (t) => {
    const { ask } = await start(t, false);
    assert.ok(!ask(node, "ecs:Poll", { resources: [instance] }).allowed);
  });

  test("nobody may nothing", async (t) => {
    const { ask } = await start(t);
    assert.ok(!ask({ ...node, kind: "anonymous" }, "ecs:RunTask").allowed);
  });
});

test("the details of a refusal tell what was asked and which statements spoke of it", async (t) => {
  const kit = await start(t);
  await write(kit, user(document({ Sid: "NoRun", Effect: "Deny", Action: "ecs:RunTask" })));
  const decision = kit.ask(ADA, "ecs:RunTask");
  assert.ok(!decision.allowed);
  const details = JSON.parse(decision.details());
  assert.equal(details.allowed, false);
  assert.equal(details.explicitDeny, true);
  assert.equal(details.matchedStatements.items[0].statementId, "NoRun");
  assert.deepEqual(details.context.principal, { id: "AIDAADA", arn: ADA.arn });
  assert.equal(details.context.action, "ecs:RunTask");
  assert.ok(
    details.context.conditions.items.some(
      ({ key, values }: { key: string; values: { items: { value: string }[] } }) =>
        key === "aws:sourceip" && values.items[0]?.value === "10.0.0.1",
    ),
  );
});

test("what was found for one question serves no other, and is found anew when policies change", async (t) => {
  const kit = await start(t);
  const other = `arn:aws:ecs:us-east-1:${ACCOUNT}:cluster/other`;
  const ask = (action: string, resource: string): boolean =>
    kit.ask(ADA, action, { resources: [resource] }).allowed;
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable
  const own = "arn:aws:ecs:*:*:cluster/${aws:username}";
  await write(
    kit,
    user(
      document({ Action: "ecs:Describe*", Resource: OWN_CLUSTER }),
      document({ Action: "ecs:Delete*", Resource: own }),
    ),
  );
  for (const _ of [1, 2]) {
    assert.ok(ask("ecs:DescribeClusters", OWN_CLUSTER));
    assert.ok(!ask("ecs:DescribeClusters", other));
    assert.ok(!ask("ecs:DeleteCluster", OWN_CLUSTER));
    assert.ok(ask("ecs:DeleteCluster", OWN_CLUSTER.replace("demo", "ada")));
  }
  await write(kit, user(document({ Action: "ecs:*", Resource: other })));
  assert.ok(!ask("ecs:DescribeClusters", OWN_CLUSTER));
  assert.ok(ask("ecs:DescribeClusters", other));
});

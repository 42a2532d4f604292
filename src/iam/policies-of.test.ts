import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ACCOUNT, type IamKit, NOW, startIam } from "./iam.fixture.ts";
import { groupKey, policyKey, roleKey, userKey } from "./model/keys.ts";
import type { Group, ManagedPolicy, Role, User } from "./model/records.ts";
import { createPoliciesOf, type PrincipalPolicies } from "./policies-of.ts";

const EXECUTION = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";
const OWN_POLICY = `arn:aws:iam::${ACCOUNT}:policy/teams/deploy`;

const holder = {
  accountId: ACCOUNT,
  path: "/",
  inlinePolicies: [],
  attachedPolicyArns: [],
  createdAt: NOW,
};
const ada: User = {
  ...holder,
  userName: "ada",
  userId: "AIDAADA",
  groupIds: ["AGPADEV"],
  tags: { team: "x" },
  inlinePolicies: [{ policyName: "own", document: allowing("ecs:RunTask") }],
  attachedPolicyArns: [OWN_POLICY],
};
const developers: Group = {
  ...holder,
  groupName: "developers",
  groupId: "AGPADEV",
  inlinePolicies: [{ policyName: "logs", document: allowing("logs:*") }],
  attachedPolicyArns: [EXECUTION],
};
const deploy: ManagedPolicy = {
  accountId: ACCOUNT,
  policyName: "deploy",
  policyId: "ANPADEPLOY",
  path: "/teams/",
  description: "",
  versions: [
    { versionId: "v1", document: allowing("ecs:StopTask"), createdAt: NOW },
    { versionId: "v2", document: allowing("ecs:UpdateService"), createdAt: NOW },
  ],
  defaultVersionId: "v1",
  lastVersionNumber: 2,
  tags: {},
  createdAt: NOW,
  updatedAt: NOW,
};
const worker: Role = {
  ...holder,
  roleName: "worker",
  path: "/app/",
  roleId: "AROAWORKER",
  trustPolicy: "{}",
  description: "",
  maxSessionDurationSeconds: 3600,
  permissionsBoundary: OWN_POLICY,
  inlinePolicies: [{ policyName: "own", document: allowing("ecs:*") }],
  tags: {},
};
const ADA_ARN = `arn:aws:iam::${ACCOUNT}:user/ada`;
const SESSION_ARN = `arn:aws:sts::${ACCOUNT}:assumed-role/worker/task`;

describe("createPoliciesOf()", () => {
  test("a user has its own policies, attached ones, and those of its groups", async (t) => {
    const { policiesOf } = await start(t);
    const policies = policiesOf({ arn: ADA_ARN, userId: "AIDAADA" });
    assert.deepEqual(actionsOf(policies), {
      user_ada_own: ["ecs runtask"],
      deploy: ["ecs stoptask"],
      group_developers_logs: ["logs "],
      AmazonECSTaskExecutionRolePolicy: ["ecr getauthorizationtoken"],
    });
    assert.equal(policies?.boundary, undefined);
    assert.deepEqual(policies?.tags, { team: "x" });
  });

  test("a session has its role's policies and boundary", async (t) => {
    const { policiesOf } = await start(t);
    const policies = policiesOf({ arn: SESSION_ARN, userId: "AROAWORKER:task" });
    assert.deepEqual(actionsOf(policies), { role_worker_own: ["ecs "] });
    assert.deepEqual(
      policies?.boundary?.map(({ id }) => id),
      ["deploy"],
    );
    assert.equal(policies?.arn, `arn:aws:iam::${ACCOUNT}:role/app/worker`);
  });

  test("nothing changes: the same answer; a record changes: a new one at once", async (t) => {
    const { policiesOf, write } = await start(t);
    const before = policiesOf({ arn: ADA_ARN });
    await write({ key: roleKey(ACCOUNT, "worker"), value: { ...worker, tags: { a: "b" } } });
    assert.equal(policiesOf({ arn: ADA_ARN }), before);

    await write({
      key: policyKey(ACCOUNT, "deploy"),
      value: { ...deploy, defaultVersionId: "v2" },
    });
    assert.deepEqual(actionsOf(policiesOf({ arn: ADA_ARN })).deploy, ["ecs updateservice"]);
    await write({ key: groupKey(ACCOUNT, "developers"), value: { ...developers, ...holder } });
    await write({ key: userKey(ACCOUNT, "ada"), value: { ...ada, inlinePolicies: [] } });
    assert.deepEqual(Object.keys(actionsOf(policiesOf({ arn: ADA_ARN }))), ["deploy"]);
  });

  test("whoever came later under the name is someone else", async (t) => {
    const { policiesOf, write } = await start(t);
    assert.equal(policiesOf({ arn: ADA_ARN, userId: "AIDAFORMER" }), undefined);
    assert.equal(policiesOf({ arn: SESSION_ARN, userId: "AROAFORMER:task" }), undefined);
    assert.equal(policiesOf({ arn: `arn:aws:iam::${ACCOUNT}:user/other/ada` }), undefined);
    await write({ key: userKey(ACCOUNT, "ada"), value: undefined });
    assert.equal(policiesOf({ arn: ADA_ARN }), undefined);
    assert.equal(policiesOf({ arn: `arn:aws:iam::${ACCOUNT}:root` }), undefined);
  });

  test("a boundary that is not there allows nothing", async (t) => {
    const { policiesOf, write } = await start(t);
    await write({ key: policyKey(ACCOUNT, "deploy"), value: undefined });
    assert.deepEqual(policiesOf({ arn: SESSION_ARN })?.boundary, []);
  });

  test("a document that cannot be read gives no rights by its absence", async (t) => {
    const { policiesOf, write } = await start(t);
    const inlinePolicies = [{ policyName: "broken", document: "{}" }];
    await write({ key: userKey(ACCOUNT, "ada"), value: { ...ada, inlinePolicies } });
    assert.throws(() => policiesOf({ arn: ADA_ARN }), { name: "InvariantError" });
  });
});

async function start(
  t: Parameters<typeof startIam>[0],
): Promise<IamKit & { policiesOf: ReturnType<typeof createPoliciesOf> }> {
  const kit = await startIam(t);
  await kit.write(
    { key: userKey(ACCOUNT, "ada"), value: ada },
    { key: groupKey(ACCOUNT, "developers"), value: developers },
    { key: policyKey(ACCOUNT, "deploy"), value: deploy },
    { key: roleKey(ACCOUNT, "worker"), value: worker },
  );
  return { ...kit, policiesOf: createPoliciesOf(kit.deps.cache) };
}

function allowing(action: string): string {
  const statement = { Effect: "Allow", Action: action, Resource: "*" };
  return JSON.stringify({ Version: "2012-10-17", Statement: statement });
}

/** The first action of each policy: enough to tell which document it is. */
function actionsOf(policies: PrincipalPolicies | undefined): Record<string, readonly string[]> {
  return Object.fromEntries(
    (policies?.identity ?? []).map(({ id, policy }) => [
      id,
      policy.statements.map(({ actions }) => {
        const [[service, [pattern]] = ["", []]] = actions.set.byService;
        return `${service} ${pattern?.head.text}`;
      }),
    ]),
  );
}

/** IAM by Debian's AWS CLI and by SDK v3, with its decisions in force: who is made here calls ECS, and is let in or refused. */
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import {
  CreateClusterCommand,
  DescribeClustersCommand,
  ECSClient,
  ListClustersCommand,
} from "@aws-sdk/client-ecs";
import {
  AttachUserPolicyCommand,
  CreateAccessKeyCommand,
  CreateGroupCommand,
  CreatePolicyCommand,
  CreatePolicyVersionCommand,
  CreateRoleCommand,
  CreateUserCommand,
  DeleteConflictException,
  DeleteUserCommand,
  EntityAlreadyExistsException,
  GetPolicyVersionCommand,
  IAMClient,
  MalformedPolicyDocumentException,
  NoSuchEntityException,
  PutRolePolicyCommand,
  PutUserPolicyCommand,
  paginateListPolicies,
  paginateListUsers,
  SimulatePrincipalPolicyCommand,
  UpdateAccessKeyCommand,
  waitUntilRoleExists,
  waitUntilUserExists,
} from "@aws-sdk/client-iam";
import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { ecsIndexes } from "../../src/ecs/control/indexes.ts";
import { TelemetryBook } from "../../src/ecs/control/telemetry-book.ts";
import { ecsService } from "../../src/ecs/operations/table.ts";
import { createAccess } from "../../src/iam/access.ts";
import { createIam } from "../../src/iam/create-iam.ts";
import { iamIndexes } from "../../src/iam/indexes.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import { systemRandom } from "../../src/lib/random.ts";
import { createCache } from "../../src/store/cache.ts";
import { openMemoryStore } from "../../src/store/memory.ts";
import { stsService } from "../../src/sts/operations.ts";
import { Sessions } from "../../src/sts/session.ts";
import { ACCOUNT_ID, findTestIdentity, REGION, ROOT_KEY, startDoor } from "../door-kit.ts";

/** Debian's, whatever other AWS CLI stands in the path. */
const AWS = "/usr/bin/aws";
const hasCli = spawnSync(AWS, ["--version"]).status === 0;
const skip = hasCli ? false : "the AWS CLI is not installed: apt-get install awscli";

interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

interface Kit {
  /** SDK clients of whoever has the key. */
  ecs(key?: Key): ECSClient;
  iam(key?: Key): IAMClient;
  sts(key?: Key): STSClient;
  /** The CLI as whoever has the key: what it prints, parsed; or what it complains of. */
  cli(args: readonly string[], key?: Key): Promise<Json>;
}

// biome-ignore lint/suspicious/noExplicitAny: whatever the CLI prints
type Json = any;

/** A door with ECS, IAM and STS, where IAM decides. */
async function open(t: TestContext): Promise<Kit> {
  const store = openMemoryStore();
  const indexes = { ...ecsIndexes, ...iamIndexes };
  const cache = createCache({ store, indexes, log: silentLog });
  const end = new AbortController();
  const following = cache.run(end.signal);
  await cache.reached(0);
  const base = { store, cache, clock: systemClock, random: systemRandom, log: silentLog };
  const sessions = new Sessions(base);
  const access = createAccess({ ...base, sessions, mayNode: () => false });
  const iam = createIam(base, access.policiesOf);
  const deps = { ...base, ...access, telemetry: new TelemetryBook() };
  const findProviderKeys = async (): Promise<never> => assert.fail("nobody asks");
  const door = await startDoor({
    services: [
      ecsService(deps, {}),
      iam.service,
      stsService({ ...deps, sessions, findProviderKeys }),
    ],
    findIdentity: (id, token) => findTestIdentity(id, token) ?? access.findIdentity(id, token),
    authorize: iam.noting(access.authorize),
  });
  const clients: { destroy(): void }[] = [];
  const client = <T extends { destroy(): void }>(
    Client: new (options: object) => T,
    credentials: Key = ROOT_KEY,
  ): T => {
    const made = new Client({ endpoint: door.url, region: REGION, credentials, maxAttempts: 1 });
    clients.push(made);
    return made;
  };
  t.after(async () => {
    for (const each of clients) each.destroy();
    await door[Symbol.asyncDispose]();
    end.abort();
    await following;
    await store.close();
  });
  return {
    ecs: (key) => client(ECSClient, key),
    iam: (key) => client(IAMClient, key),
    sts: (key) => client(STSClient, key),
    cli: (args, key) => runCli(door.url, args, key),
  };
}

const run = promisify(execFile);

async function runCli(url: string, args: readonly string[], key: Key = ROOT_KEY): Promise<Json> {
  const env = {
    PATH: "/usr/bin:/bin",
    AWS_ACCESS_KEY_ID: key.accessKeyId,
    AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
    ...(key.sessionToken !== undefined && { AWS_SESSION_TOKEN: key.sessionToken }),
    AWS_DEFAULT_REGION: REGION,
    AWS_CONFIG_FILE: "/dev/null",
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    AWS_MAX_ATTEMPTS: "1",
    AWS_PAGER: "",
  };
  try {
    const { stdout } = await run(AWS, ["--endpoint-url", url, ...args], { env });
    return stdout.trim() === "" ? {} : JSON.parse(stdout);
  } catch (error) {
    return { refused: String((error as { stderr: string }).stderr).trim() };
  }
}

function allowing(action: string): string {
  const statement = { Effect: "Allow", Action: action, Resource: "*" };
  return JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
}

function trusting(principal: object): string {
  const statement = { Effect: "Allow", Principal: principal, Action: "sts:AssumeRole" };
  return JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
}

function keyOf(created: Json): Key {
  const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey } = created.AccessKey;
  return { accessKeyId, secretAccessKey };
}

test("the CLI makes a user who may read, then write, then nothing", { skip }, async (t) => {
  const { cli } = await open(t);
  const iam = (...args: string[]): Promise<Json> => cli(["iam", ...args]);
  const { User: user } = await iam("create-user", "--user-name", "ada", "--tags", "Key=a,Value=b");
  assert.equal(user.Arn, `arn:aws:iam::${ACCOUNT_ID}:user/ada`);
  await iam("create-group", "--group-name", "readers");
  await iam("add-user-to-group", "--group-name", "readers", "--user-name", "ada");
  const ada = keyOf(await iam("create-access-key", "--user-name", "ada"));
  const create = ["ecs", "create-cluster", "--cluster-name", "demo"];

  const nothing = await cli(["ecs", "list-clusters"], ada);
  assert.match(
    nothing.refused,
    /AccessDeniedException.*User: arn:aws:iam::000000000000:user\/ada is not authorized to perform: ecs:ListClusters on resource: \* because no identity-based policy allows the ecs:ListClusters action/,
  );
  const policyArn = "arn:aws:iam::aws:policy/ReadOnlyAccess";
  await iam("attach-group-policy", "--group-name", "readers", "--policy-arn", policyArn);
  assert.deepEqual(await cli(["ecs", "list-clusters"], ada), { clusterArns: [] });
  assert.match((await cli(create, ada)).refused, /not authorized to perform: ecs:CreateCluster/);
  const put = ["put-user-policy", "--user-name", "ada", "--policy-name", "create"];
  await iam(...put, "--policy-document", allowing("ecs:CreateCluster"));
  assert.equal((await cli(create, ada)).cluster.clusterName, "demo");

  const update = ["update-access-key", "--user-name", "ada", "--access-key-id", ada.accessKeyId];
  await iam(...update, "--status", "Inactive");
  assert.match((await cli(create, ada)).refused, /UnrecognizedClientException/);
  const used = await iam("get-access-key-last-used", "--access-key-id", ada.accessKeyId);
  assert.equal(used.AccessKeyLastUsed.ServiceName, "ecs");
  assert.match((await iam("delete-user", "--user-name", "ada")).refused, /\(DeleteConflict\)/);
});

test("the CLI reads documents, lists in pages, simulates, waits, and is told what is not here", {
  skip,
}, async (t) => {
  const { cli } = await open(t);
  const iam = (...args: string[]): Promise<Json> => cli(["iam", ...args]);
  const trust = trusting({ Service: "ecs-tasks.amazonaws.com" });
  await iam("create-role", "--role-name", "task", "--assume-role-policy-document", trust);
  assert.deepEqual(await iam("wait", "role-exists", "--role-name", "task"), {});
  const { Role: role } = await iam("get-role", "--role-name", "task");
  assert.deepEqual(role.AssumeRolePolicyDocument, JSON.parse(trust));
  const put = ["put-role-policy", "--role-name", "task", "--policy-name", "p"];
  await iam(...put, "--policy-document", allowing("ecs:*"));
  const shown = await iam("get-role-policy", "--role-name", "task", "--policy-name", "p");
  assert.deepEqual(shown.PolicyDocument, JSON.parse(allowing("ecs:*")));

  const listed = await iam("list-policies", "--scope", "AWS", "--page-size", "7");
  assert.ok(listed.Policies.length > 30);
  const details = await iam("get-account-authorization-details", "--filter", "Role");
  assert.deepEqual(
    details.RoleDetailList[0].RolePolicyList[0].PolicyDocument.Version,
    "2012-10-17",
  );
  const simulate = ["simulate-principal-policy", "--policy-source-arn", role.Arn];
  const { EvaluationResults } = await iam(
    ...simulate,
    "--action-names",
    "ecs:RunTask",
    "iam:GetUser",
  );
  assert.deepEqual(
    EvaluationResults.map(({ EvalDecision }: { EvalDecision: string }) => EvalDecision),
    ["allowed", "implicitDeny"],
  );
  const bad = ["create-policy", "--policy-name", "bad", "--policy-document", "{}"];
  assert.match(
    (await iam(...bad)).refused,
    /\(MalformedPolicyDocument\).*Syntax errors in policy\./,
  );
  assert.match((await iam("list-mfa-devices")).refused, /\(NotImplemented\)/);
});

test("the SDK knows IAM's errors, pages and waiters", async (t) => {
  const iam = (await open(t)).iam();
  for (let n = 0; n < 5; n++) {
    await iam.send(new CreateUserCommand({ UserName: `user-${n}`, Path: n < 3 ? "/a/" : "/b/" }));
  }
  const names: (string | undefined)[] = [];
  for await (const page of paginateListUsers({ client: iam, pageSize: 2 }, { PathPrefix: "/a/" })) {
    names.push(...(page.Users ?? []).map(({ UserName }) => UserName));
  }
  assert.deepEqual(names, ["user-0", "user-1", "user-2"]);
  let count = 0;
  for await (const page of paginateListPolicies({ client: iam, pageSize: 10 }, { Scope: "AWS" })) {
    count += page.Policies?.length ?? 0;
  }
  assert.ok(count > 30);
  const waiting = { client: iam, maxWaitTime: 5 };
  await waitUntilUserExists(waiting, { UserName: "user-0" });
  const AssumeRolePolicyDocument = trusting({ Service: "ecs-tasks.amazonaws.com" });
  await iam.send(new CreateRoleCommand({ RoleName: "r", AssumeRolePolicyDocument }));
  await waitUntilRoleExists(waiting, { RoleName: "r" });

  const again = new CreateUserCommand({ UserName: "USER-0" });
  await assert.rejects(iam.send(again), EntityAlreadyExistsException);
  const nobody = new DeleteUserCommand({ UserName: "nobody" });
  await assert.rejects(iam.send(nobody), NoSuchEntityException);
  await assert.rejects(
    iam.send(new CreatePolicyCommand({ PolicyName: "p", PolicyDocument: "nonsense" })),
    MalformedPolicyDocumentException,
  );
  const PolicyArn = "arn:aws:iam::aws:policy/ReadOnlyAccess";
  await iam.send(new AttachUserPolicyCommand({ UserName: "user-0", PolicyArn }));
  const held = new DeleteUserCommand({ UserName: "user-0" });
  await assert.rejects(iam.send(held), DeleteConflictException);
  const { PolicyVersion } = await iam.send(
    new GetPolicyVersionCommand({ PolicyArn, VersionId: "v1" }),
  );
  assert.equal(JSON.parse(decodeURIComponent(PolicyVersion?.Document ?? "")).Version, "2012-10-17");
});

test("a user assumes the role that trusts it, and may what the role may, until that changes", async (t) => {
  const { ecs, iam, sts } = await open(t);
  const root = iam();
  const ada = (await root.send(new CreateUserCommand({ UserName: "ada" }))).User;
  await root.send(new CreateGroupCommand({ GroupName: "any" }));
  const key = keyOf(await root.send(new CreateAccessKeyCommand({ UserName: "ada" })));
  const AssumeRolePolicyDocument = trusting({ AWS: ada?.Arn });
  const { Role: role } = await root.send(
    new CreateRoleCommand({ RoleName: "deploy", AssumeRolePolicyDocument }),
  );
  const policy = { PolicyName: "own", PolicyDocument: allowing("ecs:DescribeClusters") };
  await root.send(new PutRolePolicyCommand({ RoleName: "deploy", ...policy }));
  const assume = new AssumeRoleCommand({ RoleArn: role?.Arn, RoleSessionName: "ci" });
  const { Credentials: given } = await sts(key).send(assume);
  const session = ecs({
    accessKeyId: given?.AccessKeyId ?? "",
    secretAccessKey: given?.SecretAccessKey ?? "",
    ...(given?.SessionToken !== undefined && { sessionToken: given.SessionToken }),
  });
  await session.send(new DescribeClustersCommand({}));
  const refused = {
    name: "AccessDeniedException",
    message: /^User: arn:aws:sts::000000000000:assumed-role\/deploy\/ci is not authorized/,
  };
  await assert.rejects(session.send(new ListClustersCommand({})), refused);
  await assert.rejects(ecs(key).send(new DescribeClustersCommand({})), { name: refused.name });
  const denied = { ...policy, PolicyDocument: allowing("ecs:ListClusters") };
  await root.send(new PutRolePolicyCommand({ RoleName: "deploy", ...denied }));
  await session.send(new ListClustersCommand({}));
  await assert.rejects(session.send(new DescribeClustersCommand({})), refused);
});

test("delegation holds: who may attach one policy, or act on one path, may nothing else", async (t) => {
  const { ecs, iam } = await open(t);
  const root = iam();
  await root.send(new CreateUserCommand({ UserName: "admin" }));
  await root.send(new CreateUserCommand({ UserName: "ada", Path: "/team/" }));
  await root.send(new CreateUserCommand({ UserName: "eve" }));
  const readers = "arn:aws:iam::aws:policy/ReadOnlyAccess";
  const document = JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Action: "iam:AttachUserPolicy",
        Resource: `arn:aws:iam::${ACCOUNT_ID}:user/team/*`,
        Condition: { ArnEquals: { "iam:PolicyARN": readers } },
      },
    ],
  });
  const delegated = { UserName: "admin", PolicyName: "delegated", PolicyDocument: document };
  await root.send(new PutUserPolicyCommand(delegated));
  const admin = iam(keyOf(await root.send(new CreateAccessKeyCommand({ UserName: "admin" }))));
  const attach = (UserName: string, PolicyArn: string): Promise<unknown> =>
    admin.send(new AttachUserPolicyCommand({ UserName, PolicyArn }));
  await attach("ada", readers);
  const refused = { name: "AccessDenied" };
  await assert.rejects(attach("eve", readers), refused);
  await assert.rejects(attach("ada", "arn:aws:iam::aws:policy/AdministratorAccess"), refused);
  await assert.rejects(admin.send(new CreateUserCommand({ UserName: "mallory" })), refused);

  const key = keyOf(await root.send(new CreateAccessKeyCommand({ UserName: "ada" })));
  await ecs(key).send(new ListClustersCommand({}));
  await assert.rejects(ecs(key).send(new CreateClusterCommand({})), {
    name: "AccessDeniedException",
  });
  const off = { UserName: "ada", AccessKeyId: key.accessKeyId, Status: "Inactive" as const };
  await root.send(new UpdateAccessKeyCommand(off));
  await assert.rejects(ecs(key).send(new ListClustersCommand({})), {
    name: "UnrecognizedClientException",
  });
});

test("what a simulation says is what happens", async (t) => {
  const { ecs, iam } = await open(t);
  const root = iam();
  const user = (await root.send(new CreateUserCommand({ UserName: "ada" }))).User;
  const key = keyOf(await root.send(new CreateAccessKeyCommand({ UserName: "ada" })));
  const { Policy: policy } = await root.send(
    new CreatePolicyCommand({ PolicyName: "p", PolicyDocument: allowing("ecs:ListClusters") }),
  );
  const PolicyArn = policy?.Arn;
  await root.send(new AttachUserPolicyCommand({ UserName: "ada", PolicyArn }));
  const outcome = async (): Promise<readonly unknown[]> => {
    const { EvaluationResults } = await root.send(
      new SimulatePrincipalPolicyCommand({
        PolicySourceArn: user?.Arn,
        ActionNames: ["ecs:ListClusters", "ecs:CreateCluster"],
      }),
    );
    const client = ecs(key);
    const real = await Promise.allSettled([
      client.send(new ListClustersCommand({})),
      client.send(new CreateClusterCommand({ clusterName: "demo" })),
    ]);
    const said = EvaluationResults?.map(({ EvalDecision }) => EvalDecision === "allowed");
    assert.deepEqual(
      said,
      real.map(({ status }) => status === "fulfilled"),
    );
    return said ?? [];
  };
  assert.deepEqual(await outcome(), [true, false]);
  const next = { PolicyArn, PolicyDocument: allowing("ecs:CreateCluster"), SetAsDefault: true };
  await root.send(new CreatePolicyVersionCommand(next));
  assert.deepEqual(await outcome(), [false, true]);
});

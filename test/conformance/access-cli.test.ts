/** A user's first day with Debian's AWS CLI: made, allowed one thing, refused another, in a role, and in one by a token. */
import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { after, before, test } from "node:test";
import { ACCOUNT_ID, REGION, ROOT_KEY } from "../door-kit.ts";
import { command } from "../e2e/gantry-kit.ts";
import { type AccessDoor, type Key, keyOf, openAccessDoor, policy, trust } from "./access-kit.ts";

let door: AccessDoor;
before(async () => {
  door = await openAccessDoor();
});
after(() => door[Symbol.asyncDispose]());

/** `aws …` with a key, or with none. */
async function aws(key: Key | undefined, ...args: readonly string[]) {
  const words = ["--endpoint-url", door.url, "--region", REGION, "--output", "json", ...args];
  const { code, stdout, stderr } = await command("aws", words, {
    AWS_ACCESS_KEY_ID: key?.accessKeyId ?? "",
    AWS_SECRET_ACCESS_KEY: key?.secretAccessKey ?? "",
    AWS_SESSION_TOKEN: key?.sessionToken ?? "",
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_CONFIG_FILE: "/dev/null",
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    AWS_PAGER: "",
  });
  return { code, stderr, answer: stdout.trim() === "" ? undefined : JSON.parse(stdout) };
}

/** The same, which must succeed. */
async function done(key: Key, ...args: readonly string[]) {
  const { code, stderr, answer } = await aws(key, ...args);
  assert.equal(code, 0, `aws ${args.join(" ")}: ${stderr}`);
  return answer;
}

test("a user without rights, with one, in a role, and without its key", async () => {
  const named = ["--user-name", "ada"];
  await done(ROOT_KEY, "iam", "create-user", ...named);
  const { AccessKey } = await done(ROOT_KEY, "iam", "create-access-key", ...named);
  const ada = keyOf(AccessKey);
  const { Arn } = await done(ada, "sts", "get-caller-identity");
  assert.equal(Arn, `arn:aws:iam::${ACCOUNT_ID}:user/ada`);
  const refused = await aws(ada, "ecs", "list-clusters");
  assert.equal(refused.code, 254);
  assert.match(
    refused.stderr,
    /\(AccessDeniedException\) when calling the ListClusters operation: User: \S+user\/ada is not authorized to perform: ecs:ListClusters on resource: \* because no identity-based policy allows the ecs:ListClusters action/,
  );
  const document = policy({ Action: ["ecs:ListClusters", "sts:AssumeRole"] });
  const put = ["--policy-name", "own", "--policy-document", document];
  await done(ROOT_KEY, "iam", "put-user-policy", ...named, ...put);
  await done(ada, "ecs", "list-clusters");
  const other = await aws(ada, "ecs", "create-cluster", "--cluster-name", "a");
  assert.match(other.stderr, /AccessDeniedException/);

  const role = ["--role-name", "deploy"];
  const trusted = ["--assume-role-policy-document", trust({ AWS: ACCOUNT_ID })];
  const { Role } = await done(ROOT_KEY, "iam", "create-role", ...role, ...trusted);
  const administrator = "arn:aws:iam::aws:policy/AdministratorAccess";
  await done(ROOT_KEY, "iam", "attach-role-policy", ...role, "--policy-arn", administrator);
  const assume = ["--role-arn", Role.Arn, "--role-session-name", "ci"];
  const { Credentials } = await done(ada, "sts", "assume-role", ...assume);
  const session = keyOf(Credentials);
  await done(session, "ecs", "create-cluster", "--cluster-name", "a");
  const narrow = policy({ Action: "ecs:List*" });
  const narrowed = await done(ada, "sts", "assume-role", ...assume, "--policy", narrow);
  const denied = await aws(keyOf(narrowed.Credentials), "ecs", "create-cluster");
  assert.match(denied.stderr, /because no session policy allows the ecs:CreateCluster action/);

  const key = ["--access-key-id", ada.accessKeyId];
  await done(ROOT_KEY, "iam", "delete-access-key", ...named, ...key);
  const gone = await aws(ada, "sts", "get-caller-identity");
  assert.match(gone.stderr, /\(InvalidClientTokenId\)/);
  const forged = { ...session, sessionToken: session.sessionToken?.replace(/^./, "!") ?? "" };
  const unknown = await aws(forged, "ecs", "list-clusters");
  assert.match(unknown.stderr, /\(UnrecognizedClientException\)/);
});

test("a role by the token of an identity provider, with no key at all", async () => {
  const url = "issuer.example.com";
  const provider = await done(
    ROOT_KEY,
    ...["iam", "create-open-id-connect-provider", "--url", `https://${url}`],
    ...["--client-id-list", "gantry", "--thumbprint-list", "0".repeat(40)],
  );
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  door.providerKeys.set(url, { keys: [publicKey.export({ format: "jwk" })] });
  const Federated = provider.OpenIDConnectProviderArn;
  const role = await door.addRole(
    "web",
    trust({ Federated }, { Action: "sts:AssumeRoleWithWebIdentity" }),
    policy({ Action: "ecs:List*" }),
  );
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(performance.timeOrigin / 1000) + 3600;
  const claims = { iss: `https://${url}`, aud: "gantry", sub: "ada", exp };
  const signed = `${part({ alg: "RS256" })}.${part(claims)}`;
  const token = `${signed}.${sign("sha256", Buffer.from(signed), privateKey).toString("base64url")}`;
  const { code, stderr, answer } = await aws(
    undefined,
    ...["sts", "assume-role-with-web-identity", "--role-arn", role],
    ...["--role-session-name", "ci", "--web-identity-token", token],
  );
  assert.equal(code, 0, stderr);
  assert.equal(answer.SubjectFromWebIdentityToken, "ada");
  await done(keyOf(answer.Credentials), "ecs", "list-clusters");
});

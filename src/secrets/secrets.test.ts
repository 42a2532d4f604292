import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BatchGetSecretValueCommand,
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetRandomPasswordCommand,
  GetResourcePolicyCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  ListSecretVersionIdsCommand,
  PutSecretValueCommand,
  RestoreSecretCommand,
  type SortByType,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateSecretCommand,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";
import { SESSION_KEY } from "../../test/door-kit.ts";
import { openSecrets } from "../../test/secrets-kit.ts";
import type { Authorize } from "../door/authorize.ts";
import { openSlowStore } from "../store/slow-store.fixture.ts";

const DAY_MS = 86_400_000;

test("a secret is made, read by name, ARN and ARN without suffix, and shown without its value", async () => {
  await using secrets = await openSecrets();
  const { client } = secrets;
  const made = await client.send(
    new CreateSecretCommand({ Name: "prod/db", SecretString: "swordfish", Description: "d" }),
  );
  assert.match(
    made.ARN ?? "",
    /^arn:aws:secretsmanager:[^:]+:\d{12}:secret:prod\/db-[A-Za-z0-9]{6}$/,
  );
  for (const SecretId of ["prod/db", made.ARN ?? "", (made.ARN ?? "").slice(0, -7)]) {
    const read = await client.send(new GetSecretValueCommand({ SecretId }));
    assert.equal(read.SecretString, "swordfish");
    assert.deepEqual(read.VersionStages, ["AWSCURRENT"]);
  }
  const described = await client.send(new DescribeSecretCommand({ SecretId: "prod/db" }));
  assert.ok(!JSON.stringify(described).includes("swordfish"));
  const stored = JSON.stringify((await secrets.store.list("/")).records.map(({ value }) => value));
  assert.ok(!stored.includes("swordfish"), "sealed where it is stored");
});

test("a new value is current, the one before it previous, and a label can be moved back", async () => {
  await using secrets = await openSecrets();
  const { client } = secrets;
  await client.send(new CreateSecretCommand({ Name: "s", SecretString: "one" }));
  await client.send(new PutSecretValueCommand({ SecretId: "s", SecretString: "two" }));
  await client.send(new UpdateSecretCommand({ SecretId: "s", SecretString: "three" }));
  assert.deepEqual(
    [await secrets.read("AWSCURRENT"), await secrets.read("AWSPREVIOUS")],
    ["three", "two"],
  );
  const { Versions = [] } = await client.send(new ListSecretVersionIdsCommand({ SecretId: "s" }));
  const idOf = (stage: string): string =>
    Versions.find(({ VersionStages }) => VersionStages?.includes(stage))?.VersionId ?? "";
  const move = {
    SecretId: "s",
    VersionStage: "AWSCURRENT",
    MoveToVersionId: idOf("AWSPREVIOUS"),
    RemoveFromVersionId: idOf("AWSCURRENT"),
  };
  await client.send(new UpdateSecretVersionStageCommand(move));
  assert.deepEqual(
    [await secrets.read("AWSCURRENT"), await secrets.read("AWSPREVIOUS")],
    ["two", "three"],
  );
});

test("a token stands for one value", async () => {
  await using secrets = await openSecrets();
  const { client } = secrets;
  const input = {
    Name: "s",
    SecretString: "one",
    ClientRequestToken: "11111111-1111-4111-8111-111111111111",
  };
  const first = await client.send(new CreateSecretCommand(input));
  assert.deepEqual((await client.send(new CreateSecretCommand(input))).ARN, first.ARN);
  await assert.rejects(client.send(new CreateSecretCommand({ ...input, SecretString: "two" })), {
    name: "ResourceExistsException",
  });
  await assert.rejects(client.send(new CreateSecretCommand({ Name: "s", SecretString: "one" })), {
    name: "ResourceExistsException",
  });
});

test("a deleted secret can be restored until its window is over, and then is gone with its values", async () => {
  await using secrets = await openSecrets();
  const { client, clock, store } = secrets;
  await client.send(new CreateSecretCommand({ Name: "s", SecretString: "one" }));
  await client.send(new DeleteSecretCommand({ SecretId: "s", RecoveryWindowInDays: 7 }));
  await assert.rejects(client.send(new GetSecretValueCommand({ SecretId: "s" })), {
    name: "InvalidRequestException",
    message: "You can't perform this operation on the secret because it was marked for deletion.",
  });
  await clock.advance(6 * DAY_MS);
  await client.send(new RestoreSecretCommand({ SecretId: "s" }));
  assert.equal(await secrets.read("AWSCURRENT"), "one");
  await client.send(new DeleteSecretCommand({ SecretId: "s", RecoveryWindowInDays: 7 }));
  assert.deepEqual((await client.send(new ListSecretsCommand())).SecretList, []);
  await clock.advance(8 * DAY_MS);
  await assert.rejects(client.send(new DescribeSecretCommand({ SecretId: "s" })), {
    name: "ResourceNotFoundException",
  });
  assert.deepEqual((await store.list("/")).records, []);
});

test("a secret that is deleted at once is gone, whatever else is done to it meanwhile", async () => {
  await using secrets = await openSecrets(undefined, undefined, openSlowStore());
  const { client } = secrets;
  for (let round = 0; round < 5; round++) {
    const SecretId = `s${round}`;
    await client.send(new CreateSecretCommand({ Name: SecretId, SecretString: "0" }));
    const put = (SecretString: string): Promise<unknown> =>
      client.send(new PutSecretValueCommand({ SecretId, SecretString }));
    const [, , deleted] = await Promise.allSettled([
      put("1"),
      put("2"),
      client.send(new DeleteSecretCommand({ SecretId, ForceDeleteWithoutRecovery: true })),
      put("3"),
    ]);
    assert.equal(deleted.status, "fulfilled");
    const { records } = await secrets.store.list("/");
    assert.deepEqual(
      records.filter(({ key }) => key.includes("/secrets/")).map(({ key }) => key),
      [],
    );
  }
});

test("lists are filtered, paged and in order; tags come and go; binary values are bytes", async () => {
  await using secrets = await openSecrets();
  const { client } = secrets;
  for (const Name of ["b/2", "a/1", "b/1"]) {
    await client.send(
      new CreateSecretCommand({
        Name,
        SecretBinary: Buffer.from([0, 255]),
        Tags: [{ Key: "k", Value: Name }],
      }),
    );
  }
  const names: (string | undefined)[] = [];
  let NextToken: string | undefined;
  do {
    const page = await client.send(new ListSecretsCommand({ MaxResults: 1, NextToken }));
    names.push(...(page.SecretList ?? []).map(({ Name }) => Name));
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  assert.deepEqual(names, ["a/1", "b/1", "b/2"]);
  const Filters = [
    { Key: "name" as const, Values: ["b/"] },
    { Key: "tag-value" as const, Values: ["!b/2"] },
  ];
  const { SecretList } = await client.send(new ListSecretsCommand({ Filters }));
  assert.deepEqual(
    SecretList?.map(({ Name }) => Name),
    ["b/1"],
  );
  await client.send(new TagResourceCommand({ SecretId: "a/1", Tags: [{ Key: "x", Value: "1" }] }));
  await client.send(new UntagResourceCommand({ SecretId: "a/1", TagKeys: ["k"] }));
  const { Tags } = await client.send(new DescribeSecretCommand({ SecretId: "a/1" }));
  assert.deepEqual(Tags, [{ Key: "x", Value: "1" }]);
  const { SecretBinary } = await client.send(new GetSecretValueCommand({ SecretId: "a/1" }));
  assert.deepEqual([...(SecretBinary ?? [])], [0, 255]);
  const batch = await client.send(
    new BatchGetSecretValueCommand({ SecretIdList: ["a/1", "none"] }),
  );
  assert.deepEqual(
    batch.SecretValues?.map(({ Name }) => Name),
    ["a/1"],
  );
  assert.deepEqual(
    batch.Errors?.map(({ ErrorCode }) => ErrorCode),
    ["ResourceNotFoundException"],
  );
});

test("a list goes on where it was, also when what it showed last has been deleted", async () => {
  await using secrets = await openSecrets();
  const { client } = secrets;
  for (const Name of ["a", "b", "c", "d"]) await client.send(new CreateSecretCommand({ Name }));
  const remaining: (string | undefined)[] = [];
  for (const SortOrder of ["asc", "desc"] as const) {
    const first = await client.send(new ListSecretsCommand({ MaxResults: 1, SortOrder }));
    const SecretId = first.SecretList?.[0]?.Name;
    await client.send(new DeleteSecretCommand({ SecretId, ForceDeleteWithoutRecovery: true }));
    const { NextToken } = first;
    const second = await client.send(new ListSecretsCommand({ NextToken, SortOrder }));
    remaining.push(SecretId, ":", ...(second.SecretList ?? []).map(({ Name }) => Name));
  }
  assert.equal(remaining.join(""), "a:bcd" + "d:cb");
});

test("secrets are listed by when they were made unless another order is asked for", async () => {
  await using secrets = await openSecrets();
  const { client, clock } = secrets;
  for (const Name of ["b", "c", "a"]) {
    await client.send(new CreateSecretCommand({ Name }));
    await clock.advance(1000);
  }
  await client.send(new UpdateSecretCommand({ SecretId: "b", Description: "new" }));
  const listed = async (SortBy?: SortByType): Promise<string> =>
    ((await client.send(new ListSecretsCommand({ SortBy }))).SecretList ?? [])
      .map(({ Name }) => Name)
      .join("");
  assert.equal(await listed(), "bca");
  assert.equal(await listed("name"), "abc");
  assert.equal(await listed("last-changed-date"), "cab");
});

test("filters take names as they are written, descriptions and words in either case", async () => {
  await using secrets = await openSecrets();
  const { client } = secrets;
  const Description = "Main Database";
  await client.send(new CreateSecretCommand({ Name: "Prod/db", Description }));
  const cases = [
    ["name", "Prod", 1],
    ["name", "prod", 0],
    ["description", "main d", 1],
    ["description", "database", 0],
    ["all", "database PROD", 1],
    ["all", "database test", 0],
  ] as const;
  for (const [Key, value, count] of cases) {
    const Filters = [{ Key, Values: [value] }];
    const { SecretList } = await client.send(new ListSecretsCommand({ Filters }));
    assert.equal(SecretList?.length, count, `${Key} ${value}`);
  }
});

test("a secret has no policy of its own, which Terraform asks for", async () => {
  await using secrets = await openSecrets();
  const { client } = secrets;
  const { ARN } = await client.send(new CreateSecretCommand({ Name: "s" }));
  const policy = await client.send(new GetResourcePolicyCommand({ SecretId: ARN }));
  assert.deepEqual([policy.ARN, policy.Name, policy.ResourcePolicy], [ARN, "s", undefined]);
});

test("a secret that is not there can be deleted by force", async () => {
  await using secrets = await openSecrets();
  const gone = await secrets.client.send(
    new DeleteSecretCommand({ SecretId: "none", ForceDeleteWithoutRecovery: true }),
  );
  assert.equal(gone.Name, "none");
  await assert.rejects(secrets.client.send(new DeleteSecretCommand({ SecretId: "none" })), {
    name: "ResourceNotFoundException",
  });
});

test("to read several values at once, each has to be allowed, and so has the operation", async () => {
  const asked: string[] = [];
  const authorize: Authorize = ({ action, resources }) => {
    for (const resource of resources) asked.push(`${action} ${resource.replace(/.*secret:/, "")}`);
    return { allowed: true };
  };
  await using secrets = await openSecrets(authorize, SESSION_KEY);
  await secrets.client.send(new CreateSecretCommand({ Name: "a" }));
  asked.length = 0;
  await secrets.client.send(new BatchGetSecretValueCommand({ SecretIdList: ["a", "b"] }));
  assert.deepEqual(
    asked.map((one) => one.replace(/-\S{6}$/, "")),
    [
      "secretsmanager:BatchGetSecretValue *",
      "secretsmanager:GetSecretValue a",
      "secretsmanager:GetSecretValue b",
    ],
  );
});

test("bad input has Secrets Manager's own errors", async () => {
  await using secrets = await openSecrets();
  const { client } = secrets;
  await client.send(new CreateSecretCommand({ Name: "s" }));
  const cases = [
    [new CreateSecretCommand({ Name: "no spaces" }), "ValidationException"],
    [
      new CreateSecretCommand({ Name: "x", SecretString: "x".repeat(65_537) }),
      "InvalidParameterException",
    ],
    [
      new CreateSecretCommand({ Name: "x", SecretString: "x", ClientRequestToken: "x".repeat(65) }),
      "InvalidParameterException",
    ],
    [
      new PutSecretValueCommand({ SecretId: "s", SecretString: "x", ClientRequestToken: "x" }),
      "InvalidParameterException",
    ],
    [
      new UpdateSecretVersionStageCommand({ SecretId: "s", VersionStage: "x".repeat(257) }),
      "InvalidParameterException",
    ],
    [
      new UpdateSecretVersionStageCommand({
        SecretId: "s",
        VersionStage: "x",
        MoveToVersionId: "constructor",
      }),
      "ResourceNotFoundException",
    ],
    [new GetSecretValueCommand({ SecretId: "none" }), "ResourceNotFoundException"],
    [new GetSecretValueCommand({ SecretId: "s" }), "ResourceNotFoundException"],
    [new PutSecretValueCommand({ SecretId: "s" }), "InvalidRequestException"],
    [
      new UpdateSecretCommand({ SecretId: "s", KmsKeyId: "k".repeat(2049) }),
      "InvalidParameterException",
    ],
    [
      new DeleteSecretCommand({ SecretId: "s", RecoveryWindowInDays: 6 }),
      "InvalidParameterException",
    ],
    [new ListSecretsCommand({ NextToken: "!" }), "InvalidNextTokenException"],
  ] as const;
  for (const [command, name] of cases) {
    await assert.rejects(client.send(command as GetSecretValueCommand), { name });
  }
});

test("a random password has each kind of character that is wanted, and no other", async () => {
  await using secrets = await openSecrets();
  for (let round = 0; round < 20; round++) {
    const { RandomPassword = "" } = await secrets.client.send(
      new GetRandomPasswordCommand({
        PasswordLength: 4,
        ExcludePunctuation: true,
        ExcludeCharacters: "abc",
        IncludeSpace: true,
      }),
    );
    assert.match(RandomPassword, /^(?=.*[d-z])(?=.*[A-Z])(?=.*[0-9])(?=.* )[d-zA-Z0-9 ]{4}$/);
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";
import { openSecrets } from "../../test/secrets-kit.ts";

test("a secret's first value is the current one, whatever its labels", async () => {
  await using secrets = await openSecrets();
  const { client } = secrets;
  await client.send(new CreateSecretCommand({ Name: "s" }));
  const pending = { SecretId: "s", VersionStages: ["AWSPENDING"] };
  const first = await client.send(new PutSecretValueCommand({ ...pending, SecretString: "one" }));
  assert.deepEqual(first.VersionStages?.toSorted(), ["AWSCURRENT", "AWSPENDING"]);
  const second = await client.send(new PutSecretValueCommand({ ...pending, SecretString: "two" }));
  assert.deepEqual(second.VersionStages, ["AWSPENDING"]);
  assert.equal(await secrets.read("AWSCURRENT"), "one");
});

test("half a character names no secret, no version and no token", async () => {
  await using secrets = await openSecrets();
  const { client } = secrets;
  const half = "\ud800";
  await client.send(new CreateSecretCommand({ Name: "s", SecretString: "one" }));
  for (const input of [{ SecretId: half }, { SecretId: "s", VersionId: half }]) {
    await assert.rejects(client.send(new GetSecretValueCommand(input)), {
      name: "ResourceNotFoundException",
    });
  }
  const put = { SecretId: "s", SecretString: "two", ClientRequestToken: half.repeat(32) };
  await assert.rejects(client.send(new PutSecretValueCommand(put)), {
    name: "InvalidParameterException",
  });
});

test("all versions of a secret together have twenty labels", async () => {
  await using secrets = await openSecrets();
  const { client } = secrets;
  const label = (count: number, from = 0): string[] =>
    Array.from({ length: count }, (_, at) => `l${from + at}`);
  const put = (SecretString: string, VersionStages: string[]) =>
    client.send(new PutSecretValueCommand({ SecretId: "s", SecretString, VersionStages }));
  await client.send(new CreateSecretCommand({ Name: "s", SecretString: "one" }));
  await put("two", label(19));
  await put("three", label(19));
  await assert.rejects(put("four", label(1, 19)), { name: "LimitExceededException" });
  const { VersionId } = await client.send(new GetSecretValueCommand({ SecretId: "s" }));
  const move = { SecretId: "s", MoveToVersionId: VersionId, VersionStage: "l19" };
  await assert.rejects(client.send(new UpdateSecretVersionStageCommand(move)), {
    name: "LimitExceededException",
  });
});

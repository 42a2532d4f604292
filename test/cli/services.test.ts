/** Every service of a running `gantry server` is there at the first call, though the code of most comes with it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CloudWatchLogs } from "@aws-sdk/client-cloudwatch-logs";
import { EC2 } from "@aws-sdk/client-ec2";
import { ECS } from "@aws-sdk/client-ecs";
import { IAM } from "@aws-sdk/client-iam";
import { SecretsManager } from "@aws-sdk/client-secrets-manager";
import { SSM } from "@aws-sdk/client-ssm";
import { STS } from "@aws-sdk/client-sts";
import { startServer, temporaryDirectory } from "./cli-kit.ts";

const credentials = { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "a".repeat(40) };

test("the first calls for each service are answered, several at once", async () => {
  using directory = temporaryDirectory();
  await using server = await startServer(directory.path, {
    flags: [
      ...["--root-access-key-id", credentials.accessKeyId],
      ...["--root-secret-access-key", credentials.secretAccessKey],
    ],
  });
  const settings = { endpoint: server.endpoint, region: "us-east-1", credentials, maxAttempts: 1 };
  const ec2 = new EC2(settings);
  const ecs = new ECS(settings);
  const iam = new IAM(settings);
  const logs = new CloudWatchLogs(settings);
  const secrets = new SecretsManager(settings);
  const ssm = new SSM(settings);
  const sts = new STS(settings);
  const calls = [
    () => ec2.describeVpcs(),
    () => ecs.listClusters(),
    () => iam.listUsers(),
    () => logs.describeLogGroups(),
    () => secrets.listSecrets(),
    () => ssm.describeParameters(),
    () => sts.getCallerIdentity(),
    // Unsigned: only the operation's name says whose it is.
    () =>
      assert.rejects(
        sts.assumeRoleWithWebIdentity({
          RoleArn: "arn:aws:iam::000000000000:role/web",
          RoleSessionName: "one",
          WebIdentityToken: "not.a.token",
        }),
        { name: "InvalidIdentityTokenException" },
      ),
  ];
  try {
    await Promise.all([...calls, ...calls].map((call) => call()));
  } finally {
    for (const client of [ec2, ecs, iam, logs, secrets, ssm, sts]) client.destroy();
  }
});

/** What amazon-ecs-agent reads of its machine before it registers, as its SDK asks for it (`ecs-agent/ec2`). */
import assert from "node:assert/strict";
import type { Credentials } from "../../src/lib/sigv4.ts";

export interface MachineFacts {
  readonly credentials: Credentials;
  /** Undefined where the agent is external: it has no metadata. */
  readonly identityDocument?: string;
}

/** From the instance metadata that the variables name; from the variables themselves where they say ECS_EXTERNAL. */
export async function readMachine(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<MachineFacts> {
  const { AWS_ACCESS_KEY_ID, AWS_EC2_METADATA_SERVICE_ENDPOINT, AWS_SECRET_ACCESS_KEY } =
    environment;
  if (environment.ECS_EXTERNAL === "true") {
    return {
      credentials: {
        accessKeyId: AWS_ACCESS_KEY_ID ?? "",
        secretAccessKey: AWS_SECRET_ACCESS_KEY ?? "",
      },
    };
  }
  const read = metadataReader(AWS_EC2_METADATA_SERVICE_ENDPOINT ?? "");
  // Without either the agent ends, or goes on without awsvpc.
  const mac = await read("meta-data/mac");
  for (const name of ["vpc-id", "subnet-id"]) {
    assert.notEqual(await read(`meta-data/network/interfaces/macs/${mac}/${name}`), "");
  }
  const [role = ""] = (await read("meta-data/iam/security-credentials/")).trim().split("\n");
  const keys = JSON.parse(await read(`meta-data/iam/security-credentials/${role}`));
  assert.equal(keys.Code, "Success");
  assert.ok(Date.parse(keys.Expiration) > Date.now());
  return {
    credentials: {
      accessKeyId: keys.AccessKeyId,
      secretAccessKey: keys.SecretAccessKey,
      ...(keys.Token && { sessionToken: keys.Token }),
    },
    identityDocument: await read("dynamic/instance-identity/document"),
  };
}

function metadataReader(origin: string): (path: string) => Promise<string> {
  return async (path) => {
    const token = await fetch(`${origin}/latest/api/token`, {
      method: "PUT",
      headers: { "x-aws-ec2-metadata-token-ttl-seconds": "300" },
    });
    // The SDK reads for how long from the answer, and fails without.
    assert.equal(token.headers.get("x-aws-ec2-metadata-token-ttl-seconds"), "300");
    const headers = { "x-aws-ec2-metadata-token": await token.text() };
    const answer = await fetch(`${origin}/latest/${path}`, { headers });
    assert.equal(answer.status, 200, path);
    return answer.text();
  };
}

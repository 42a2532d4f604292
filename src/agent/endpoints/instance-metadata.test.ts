import assert from "node:assert/strict";
import { test } from "node:test";
import { ECSClient } from "@aws-sdk/client-ecs";
import { silentLog } from "../../lib/log.ts";
import { answerMetadata, type InstanceFacts } from "./instance-metadata.ts";
import { openMetadataServer } from "./metadata-server.ts";

const TOKEN = "the-token";
const MAC = "52:54:00:12:34:56";

const FACTS: InstanceFacts = {
  ec2InstanceId: "i-0123456789abcdef0",
  accountId: "000000000000",
  region: "eu-west-1",
  availabilityZone: "eu-west-1a",
  availabilityZoneId: "euw1-az1",
  instanceType: "gantry.local",
  privateIp: "10.0.0.5",
  macAddress: MAC,
  architecture: "x86_64",
  home: { vpcId: "vpc-1", subnetId: "subnet-1" },
  roleName: "gantry-node",
  credentials: { accessKeyId: "AKIAMACHINE", secretAccessKey: "secret of the machine" },
  credentialsUntil: Date.UTC(2036, 0, 1, 6),
};

function get(path: string, facts: InstanceFacts = FACTS): string {
  const headers = { "x-aws-ec2-metadata-token": TOKEN };
  const question = { method: "GET", target: `/latest/${path}`, headers };
  const { status, body } = answerMetadata(question, () => facts, TOKEN);
  return status === 200 ? body : String(status);
}

test("the ECS agent finds all that it asks for, and 404 for what only EC2 has", () => {
  assert.equal(get("meta-data/instance-id"), FACTS.ec2InstanceId);
  assert.equal(get("meta-data/mac"), MAC);
  assert.equal(get(`meta-data/network/interfaces/macs/${MAC}/vpc-id`), "vpc-1");
  assert.equal(get(`meta-data/network/interfaces/macs/${MAC}/subnet-id`), "subnet-1");
  assert.equal(get("meta-data/local-ipv4"), "10.0.0.5");
  assert.equal(get("meta-data/placement/region"), "eu-west-1");
  assert.equal(get("meta-data/placement/availability-zone-id"), "euw1-az1");
  assert.equal(get("meta-data/iam/security-credentials/"), "gantry-node");
  assert.ok(get("dynamic/instance-identity/signature").length > 3);
  const document = JSON.parse(get("dynamic/instance-identity/document"));
  assert.deepEqual(
    [document.instanceId, document.region, document.architecture, document.privateIp],
    [FACTS.ec2InstanceId, "eu-west-1", "x86_64", "10.0.0.5"],
  );
  for (const path of [
    "user-data",
    "meta-data/outpost-arn",
    "meta-data/public-ipv4",
    "meta-data/spot/instance-action",
    "meta-data/autoscaling/target-lifecycle-state",
  ]) {
    assert.equal(get(path), "404", path);
  }
});

test("directories list what is in them", () => {
  assert.equal(get("meta-data/network/interfaces/macs"), `${MAC}/`);
  assert.deepEqual(get("meta-data/placement/").split("\n"), [
    "availability-zone",
    "availability-zone-id",
    "region",
  ]);
});

test("an agent waits while the VPC is not known: it would take the machine for one without", () => {
  const early = { ...FACTS, home: undefined };
  assert.equal(get(`meta-data/network/interfaces/macs/${MAC}/vpc-id`, early), "503");
});

test("nothing is told without the token, and the token only to who asks by PUT", () => {
  const ask = (method: string, target: string, headers: Record<string, string>): number =>
    answerMetadata({ method, target, headers }, () => assert.fail("was told"), TOKEN).status;
  const ttl = { "x-aws-ec2-metadata-token-ttl-seconds": "21600" };
  assert.equal(ask("GET", "/latest/meta-data/iam/security-credentials/gantry-node", {}), 401);
  assert.equal(
    ask("GET", "/latest/meta-data/instance-id", { "x-aws-ec2-metadata-token": "other" }),
    401,
  );
  assert.equal(ask("POST", "/latest/meta-data/instance-id", {}), 405);
  assert.equal(ask("GET", "/latest/api/token", ttl), 405);
  assert.equal(ask("PUT", "/latest/api/token", {}), 400);
  assert.equal(ask("PUT", "/latest/api/token", { ...ttl, "x-forwarded-for": "10.0.0.1" }), 403);
  assert.equal(ask("PUT", "/latest/api/token", ttl), 200);
});

test("the SDK for JavaScript finds the machine's keys", async () => {
  const disk = { readText: async () => "", writeText: async () => undefined };
  await using server = await openMetadataServer({
    facts: () => FACTS,
    token: TOKEN,
    disk,
    portFile: "",
    log: silentLog,
  });
  const before = { ...process.env };
  try {
    for (const name of Object.keys(process.env)) {
      if (name.startsWith("AWS_")) delete process.env[name];
    }
    process.env.AWS_EC2_METADATA_SERVICE_ENDPOINT = `http://127.0.0.1:${server.port}`;
    const client = new ECSClient({ region: "eu-west-1", endpoint: "http://127.0.0.1:1" });
    const credentials = await client.config.credentials();
    assert.equal(credentials.accessKeyId, "AKIAMACHINE");
    assert.equal(credentials.secretAccessKey, "secret of the machine");
  } finally {
    process.env = before;
  }
});

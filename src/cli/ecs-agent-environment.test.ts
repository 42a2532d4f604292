import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { rootCertificates } from "node:tls";
import { agentEnvironmentLines, writeAgentEnvironment } from "./ecs-agent-environment.ts";

const OPTIONS = {
  directory: "/",
  endpoint: "http://10.0.0.1:4566",
  ca: undefined,
  region: "eu-west-1",
  cluster: "machines",
  metadataPort: 40_000,
};

function variables(text: string): Map<string, string> {
  const lines = text.trim().split("\n");
  return new Map(lines.map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]));
}

test("the agent's variables lead it to this server and to this machine's metadata", () => {
  const found = variables(agentEnvironmentLines(OPTIONS));
  assert.equal(found.get("ECS_BACKEND_HOST"), "http://10.0.0.1:4566");
  assert.equal(found.get("ECS_CLUSTER"), "machines");
  assert.equal(found.get("AWS_DEFAULT_REGION"), "eu-west-1");
  assert.equal(found.get("AWS_EC2_METADATA_SERVICE_ENDPOINT"), "http://127.0.0.1:40000");
  assert.equal(found.get("ECS_ENABLE_TASK_ENI"), "true");
  assert.equal(found.has("ECS_EXTERNAL"), false, "it would have no awsvpc");
  assert.equal(found.has("SSL_CERT_FILE"), false);
  const drivers = found.get("ECS_AVAILABLE_LOGGING_DRIVERS") ?? "";
  assert.deepEqual(JSON.parse(drivers), ["json-file", "syslog", "awslogs", "fluentd", "none"]);
});

test("a private authority is trusted beside the public ones, and never by the variable that the agent dies of", async () => {
  const directory = mkdtempSync(join(tmpdir(), "gantry-agent-env-"));
  try {
    const ca = "-----BEGIN CERTIFICATE-----\nours\n-----END CERTIFICATE-----\n";
    const path = await writeAgentEnvironment({ ...OPTIONS, directory, ca });
    const found = variables(readFileSync(path, "utf8"));
    assert.equal(found.get("SSL_CERT_FILE"), "/etc/ecs/gantry-ca.pem");
    assert.equal(found.has("AWS_CA_BUNDLE"), false);
    const bundle = readFileSync(join(directory, "ecs-agent-ca.pem"), "utf8");
    assert.ok(bundle.includes(ca.trim()) && bundle.includes(rootCertificates[0] ?? "?"));
  } finally {
    rmSync(directory, { recursive: true });
  }
});

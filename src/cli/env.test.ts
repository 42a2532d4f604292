import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { environmentLines, needsEndpointFlag } from "./env.ts";

const client = {
  endpoint: "http://127.0.0.1:4566",
  region: "us-east-1",
  accessKeyId: "AKIAEXAMPLE",
  secretAccessKey: "a'b c/+=",
  subnetIds: ["subnet-1", "subnet-2"],
};

test("needsEndpointFlag() is true exactly for CLIs that do not know AWS_ENDPOINT_URL", () => {
  const cases: [string, boolean][] = [
    ["aws-cli/2.9.19 Python/3.11.2 Linux/6.1 source/x86_64.debian.12 prompt/off", true],
    ["aws-cli/2.12.7 Python/3.11.4", true],
    ["aws-cli/2.13.0 Python/3.11.4", false],
    ["aws-cli/1.28.9 Python/3.11.4", true],
    ["aws-cli/1.29.0 Python/3.11.4", false],
    ["", false],
  ];
  for (const [version, expected] of cases)
    assert.equal(needsEndpointFlag(version), expected, version);
});

test("environmentLines() survives a POSIX shell, quotes included", () => {
  const script = `${environmentLines(client, "aws-cli/2.9.19 x")}\nprintf '%s|%s' "$AWS_SECRET_ACCESS_KEY" "$GANTRY_SUBNETS"; type aws >/dev/null`;
  const { stdout, status } = spawnSync("sh", ["-c", script], { encoding: "utf8" });
  assert.equal(status, 0);
  assert.equal(stdout, "a'b c/+=|subnet-1,subnet-2");
});

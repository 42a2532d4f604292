import assert from "node:assert/strict";
import { test } from "node:test";
import type { PayloadTask } from "../protocol/acs.ts";
import type { DockerHostConfig } from "../protocol/docker-config.ts";
import { findFargateViolation } from "./fargate-rules.ts";
import { AWSVPC, payloadContainer, payloadTask } from "./testing/rig.fixture.ts";

function fargate(over: Partial<PayloadTask> = {}, hostConfig: DockerHostConfig = {}): PayloadTask {
  const containers = [payloadContainer("web", { hostConfig })];
  return payloadTask("a1", { ...AWSVPC, launchType: "FARGATE", containers, ...over });
}

test("an ordinary FARGATE task passes", () => {
  const volumes = [{ name: "scratch", type: "host", host: { sourcePath: "" } }];
  const task = fargate({ pidMode: "task", volumes }, { CapAdd: ["SYS_PTRACE"], Init: true });
  assert.equal(findFargateViolation(task), undefined);
});

const VIOLATIONS: readonly [string, Partial<PayloadTask>, DockerHostConfig][] = [
  ["network mode host", { networkMode: "host" }, {}],
  ["pidMode host", { pidMode: "host" }, {}],
  ["ipcMode task", { ipcMode: "task" }, {}],
  [
    "volume v of the machine",
    { volumes: [{ name: "v", type: "host", host: { sourcePath: "/etc" } }] },
    {},
  ],
  [
    "volume v of the machine",
    { volumes: [{ name: "v", type: "docker", dockerVolumeConfiguration: { scope: "shared" } }] },
    {},
  ],
  ["privileged", {}, { Privileged: true }],
  [
    "linuxParameters.devices",
    {},
    { Devices: [{ PathOnHost: "/dev/a", PathInContainer: "/dev/a", CgroupPermissions: "r" }] },
  ],
  ["dockerSecurityOptions", {}, { SecurityOpt: ["apparmor:unconfined"] }],
  ["capability SYS_ADMIN", {}, { CapAdd: ["SYS_PTRACE", "SYS_ADMIN"] }],
];
for (const [feature, over, hostConfig] of VIOLATIONS) {
  test(`${feature} (${JSON.stringify({ ...over, ...hostConfig })}) is not for FARGATE, and is nobody else's loss`, () => {
    const task = fargate(over, hostConfig);
    assert.equal(findFargateViolation(task)?.feature, feature);
    assert.equal(findFargateViolation({ ...task, launchType: "EC2" }), undefined);
  });
}

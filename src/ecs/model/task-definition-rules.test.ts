import assert from "node:assert/strict";
import { test } from "node:test";
import type { RegisterTaskDefinitionRequest, Volume } from "@aws-sdk/client-ecs";
import { findDefinitionViolation } from "./task-definition-rules.ts";

const WEB = { name: "web", image: "hello", memory: 64 };
const ACCESS_POINT = { authorizationConfig: { accessPointId: "fsap-1" } };

function violation(changes: Partial<RegisterTaskDefinitionRequest>): string {
  const request = { family: "f", containerDefinitions: [WEB], ...changes };
  return findDefinitionViolation(request) ?? "nothing is wrong";
}

const volume = (changes: Volume): Partial<RegisterTaskDefinitionRequest> => ({
  volumes: [{ name: "data", ...changes }],
});

test("definitions that ECS refuses", async (t) => {
  const gpu = { ...WEB, name: "gpu", resourceRequirements: [{ type: "GPU" as const, value: "1" }] };
  const share = { nvidiaMps: { memory: 1024 } };
  const cases: readonly (readonly [Partial<RegisterTaskDefinitionRequest>, RegExp])[] = [
    [volume({ name: "a b" }), /^Volume name contains invalid characters\.$/],
    [volume({ host: {}, configuredAtLaunch: true }), /more than one configuration/],
    [
      volume({ dockerVolumeConfiguration: { scope: "task", autoprovision: false } }),
      /^When 'scope' parameter is 'task', 'autoprovision' must either not be specified or set to 'True'\.$/,
    ],
    [volume({ host: { sourcePath: "" } }), /^host\.sourcePath should not be blank\.$/],
    [volume({ dockerVolumeConfiguration: { driver: "" } }), /driver should not be null or empty/],
    [volume({ configuredAtLaunch: true }), /^Volumes \[data\] are not referenced/],
    [volume({ efsVolumeConfiguration: { fileSystemId: "" } }), /'fileSystemId'/],
    [
      volume({ efsVolumeConfiguration: { fileSystemId: "fs-1", ...ACCESS_POINT } }),
      /^EFS access points require TransitEncryption to be enabled\.$/,
    ],
    [
      volume({
        efsVolumeConfiguration: {
          fileSystemId: "fs-1",
          rootDirectory: "/srv",
          transitEncryption: "ENABLED",
          ...ACCESS_POINT,
        },
      }),
      /the root directory must either be set to "\/" or be omitted/,
    ],
    [
      volume({ efsVolumeConfiguration: { fileSystemId: "fs-1", transitEncryptionPort: 1 } }),
      /^TransitEncryptionPort requires/,
    ],
    [volume({ s3filesVolumeConfiguration: { fileSystemArn: "arn" } }), /need a task role/],
    [
      {
        volumes: [
          { name: "a", configuredAtLaunch: true },
          { name: "b", configuredAtLaunch: true },
        ],
      },
      /^Only one volume can be configured at launch\.$/,
    ],
    [
      {
        volumes: [{ name: "a" }],
        containerDefinitions: [{ ...WEB, mountPoints: [{ sourceVolume: "a" }] }],
      },
      /needs a 'containerPath'/,
    ],
    [
      {
        networkMode: "awsvpc",
        proxyConfiguration: {
          containerName: "web",
          properties: [{ name: "AppPorts", value: "1" }],
        },
      },
      /requires the property IgnoredUID or IgnoredGID/,
    ],
    [
      {
        containerDefinitions: [
          { ...WEB, portMappings: [{ containerPort: 1, name: "a" }] },
          { ...WEB, name: "other", portMappings: [{ containerPort: 2, name: "a" }] },
        ],
      },
      /^The name 'a' is given to more than one port mapping\.$/,
    ],
    [
      { containerDefinitions: [{ ...WEB, logConfiguration: { logDriver: "awsfirelens" } }] },
      /a firelens configuration object must be specified/,
    ],
    [
      { ephemeralStorage: { sizeInGiB: 30 }, requiresCompatibilities: ["EC2"] },
      /^Tasks using the EC2 launch type do not support EphemeralStorage\.$/,
    ],
    [{ inferenceAccelerators: [{ deviceName: "d", deviceType: "t" }] }, /no longer available/],
    [
      {
        pidMode: "task",
        runtimePlatform: { operatingSystemFamily: "WINDOWS_SERVER_2022_CORE" },
      },
      /Windows/,
    ],
    [
      {
        containerDefinitions: [
          gpu,
          { ...WEB, resourceRequirements: [{ type: "GPU", sharingStrategy: share }] },
        ],
      },
      /the same option for GPUs/,
    ],
  ];
  for (const [changes, message] of cases) {
    await t.test(String(message), () => assert.match(violation(changes), message));
  }
});

test("Docker volumes that ECS takes, as Terraform asks for them", () => {
  for (const autoprovision of [true, false]) {
    const { volumes } = volume({ dockerVolumeConfiguration: { autoprovision } });
    const request = { family: "f", containerDefinitions: [WEB], volumes };
    assert.equal(findDefinitionViolation(request), undefined);
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerDefinition, RegisterTaskDefinitionRequest } from "@aws-sdk/client-ecs";
import { findContainerViolation } from "./container-rules.ts";

type Case = readonly [
  Partial<ContainerDefinition>,
  message: string | RegExp,
  task?: Partial<RegisterTaskDefinitionRequest>,
];

function violation(
  changes: Partial<ContainerDefinition>,
  task: Partial<RegisterTaskDefinitionRequest> = {},
): string | undefined {
  const container = { name: "web", image: "hello", memory: 64, ...changes };
  return findContainerViolation(container, { family: "f", containerDefinitions: [], ...task });
}

async function check(
  t: { test(name: string, run: () => void): Promise<void> },
  cases: readonly Case[],
): Promise<void> {
  for (const [changes, message, task] of cases) {
    await t.test(JSON.stringify(changes), () => {
      const found = violation(changes, task) ?? "nothing is wrong";
      if (typeof message === "string") assert.equal(found, message);
      else assert.match(found, message);
    });
  }
}

const ports = (...portMappings: NonNullable<ContainerDefinition["portMappings"]>) => ({
  portMappings,
});

test("port mappings that ECS refuses", (t) =>
  check(t, [
    [ports({ containerPort: 80, hostPort: 70_000 }), /'hostPort' must be a number from 0 to 65535/],
    [
      ports({ containerPortRange: "80" }),
      "Invalid 'containerPortRange' setting for container 'web'.",
    ],
    [ports({ containerPortRange: "80-80" }), /^Invalid 'containerPortRange' setting/],
    [ports({ containerPortRange: "1-9", hostPort: 1 }), /stands alone/],
    [
      ports({ containerPortRange: "1-9" }),
      /not supported with networkMode=host/,
      { networkMode: "host" },
    ],
    [ports({ containerPortRange: "1-9" }, { containerPortRange: "9-12" }), /overlap/],
    [ports({ containerPortRange: "1-9" }, { containerPort: 5 }), /overlap/],
    [ports(...Array(101).fill({ containerPortRange: "1-9" })), /more than 100 port ranges/],
    [ports({ containerPort: 80, name: "Web" }), /64 lowercase letters/],
    [ports({ containerPort: 80, name: "-web" }), /64 lowercase letters/],
  ]));

const SPEC = "arn:aws:secretsmanager:us-east-1:111111111111:secret:db-AbCdEf";
const secret = (valueFrom: string) => ({ secrets: [{ name: "S", valueFrom }] });
const login = { repositoryCredentials: { credentialsParameter: SPEC } };

test("what only an execution role can fetch", (t) =>
  check(t, [
    [
      secret("parameter"),
      "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
    ],
    [
      login,
      "Private repository authentication requires that the task definition specify a value for executionRoleArn.",
    ],
  ]));

test("environments that ECS refuses", (t) =>
  check(t, [
    [{ environment: [{ value: "1" }] }, /needs a 'name'/],
    [
      secret("a parameter"),
      "The Systems Manager parameter name specified for secret S is invalid. The parameter name can be up to 2048 characters and include the following letters and symbols: a-zA-Z0-9_.-,",
    ],
    [secret("arn:aws:ssm:us-east-1:111111111111:parameter"), /^The Systems Manager parameter name/],
    [secret("arn:aws:s3:::bucket/key"), /neither a parameter nor a secret/],
    [secret("arn:aws:secretsmanager:us-east-1:1:other:x"), /neither a parameter nor a secret/],
    [secret(`${SPEC}:key:AWSPREVIOUS:0123`), /both a version stage and a version id/],
    [{ environmentFiles: [{ type: "s3", value: "arn:aws:s3:::bucket/x.txt" }] }, /ends in \.env/],
  ]));

const log = (options: Record<string, string>) => ({
  logConfiguration: {
    logDriver: "awslogs" as const,
    options: { "awslogs-group": "g", "awslogs-region": "r", ...options },
  },
});

test("log configurations that ECS refuses", (t) =>
  check(t, [
    [
      { logConfiguration: { logDriver: "awslogs" } },
      "Log driver awslogs requires options: awslogs-region, awslogs-group",
    ],
    [log({ "awslogs-endpoint": "x" }), "Log driver awslogs disallows options: awslogs-endpoint"],
    [
      log({ "awslogs-datetime-format": "%Y", "awslogs-multiline-pattern": "^a" }),
      /awslogs-datetime-format/,
    ],
    [log({ mode: "never" }), /blocking or non-blocking/],
    [log({ "max-buffer-size": "large" }), /max-buffer-size/],
    [
      {
        logConfiguration: {
          logDriver: "awsfirelens",
          options: { "log-driver-buffer-limit": "536870913" },
        },
      },
      /from 0 to 536870912/,
    ],
    [
      { logConfiguration: { logDriver: "splunk", secretOptions: [{ name: "t", valueFrom: "" }] } },
      /needs 'name' and 'valueFrom'/,
    ],
    [
      { firelensConfiguration: { type: "fluentd", options: { constructor: "x" } } },
      /'constructor'/,
    ],
    [
      { firelensConfiguration: { type: "fluentd", options: { "config-file-type": "ftp" } } },
      /'config-file-type'/,
    ],
    [
      { firelensConfiguration: { type: "fluentd", options: { "config-file-type": "s3" } } },
      /go together/,
    ],
  ]));

test("settings of the kernel that ECS refuses", (t) =>
  check(t, [
    [{ linuxParameters: { capabilities: { add: ["SUPER"] } } }, /no capability 'SUPER'/],
    [{ linuxParameters: { devices: [{ hostPath: "" }] } }, /'hostPath'/],
    [{ linuxParameters: { tmpfs: [{ containerPath: "/tmp", size: 0 }] } }, /1 MiB or more/],
    [{ linuxParameters: { sharedMemorySize: 0 } }, /'sharedMemorySize'/],
    [{ linuxParameters: { maxSwap: -1 } }, /'maxSwap'/],
    [{ linuxParameters: { swappiness: 101 } }, /between 0 and 100/],
    [
      { ulimits: [{ name: "nofile", softLimit: 2, hardLimit: 1 }] },
      /soft limit of ulimit 'nofile'/,
    ],
    [
      {
        ulimits: [
          { name: "core", softLimit: 0, hardLimit: 0 },
          { name: "core", softLimit: 1, hardLimit: 1 },
        ],
      },
      /given twice/,
    ],
    [{ systemControls: [{ namespace: "kernel.hostname", value: "x" }] }, /not namespaced/],
    [{ systemControls: [{ namespace: "kernel.sem" }] }, /needs a 'value'/],
    [
      { systemControls: [{ namespace: "net.core.somaxconn", value: "1" }] },
      /not supported with networkMode=host/,
      { networkMode: "host" },
    ],
    [
      { systemControls: [{ namespace: "kernel.sem", value: "1" }] },
      /not supported with ipcMode=host/,
      { ipcMode: "host" },
    ],
    [{ dockerSecurityOptions: ["seccomp:unconfined"] }, /security option/],
    [{ credentialSpecs: ["file://x"] }, /credentialspec:ARN/],
    [{ credentialSpecs: ["credentialspec:a", "credentialspec:b"] }, /one credential spec/],
  ]));

test("other settings that ECS refuses", (t) =>
  check(t, [
    [{ image: "hello@sha256:abc" }, "Container.image contains invalid characters."],
    [{ image: "hel lo" }, "Container.image contains invalid characters."],
    [{ dnsSearchDomains: ["a_b"] }, /dnsSearchDomains/],
    [{ extraHosts: [{ hostname: "db", ipAddress: "10.0.0" }] }, /'ipAddress'/],
    [{ links: ["a:b:c"] }, /name:alias/],
    [{ resourceRequirements: [{ type: "GPU", value: "some" }] }, /a number or ALL/],
    [{ resourceRequirements: [{ type: "GPU" }] }, /either a 'value' or a 'sharingStrategy'/],
    [
      { resourceRequirements: [{ type: "InferenceAccelerator", value: "a" }] },
      /no longer available/,
    ],
    [{ healthCheck: { command: [] } }, /needs a command/],
    [{ healthCheck: { command: ["CMD", "true"], interval: 4 } }, /interval must be between 5/],
    [{ restartPolicy: { enabled: true, restartAttemptPeriod: 59 } }, /between 60 and 1800/],
  ]));

test("containers that ECS takes", () => {
  const good: readonly Partial<ContainerDefinition>[] = [
    ports({ containerPort: 80, hostPort: 1 }, { containerPort: 80, hostPort: 2, name: "w_1" }),
    ports({ containerPortRange: "1-9" }, { containerPortRange: "10-12" }),
    ports({ containerPort: 53, protocol: "tcp" }, { containerPort: 53, protocol: "udp" }),
    login,
    secret("/app/parameter_1"),
    secret("arn:aws:ssm:us-east-1:111111111111:parameter/app/parameter"),
    secret(`${SPEC}:user::`),
    secret(`${SPEC}:::0123`),
    log({ mode: "non-blocking", "max-buffer-size": "25m", "awslogs-create-group": "true" }),
    { ulimits: [{ name: "memlock", softLimit: -1, hardLimit: -1 }] },
    { dockerSecurityOptions: ["no-new-privileges", "apparmor:p", "label:type:x"] },
    { resourceRequirements: [{ type: "GPU", value: "ALL" }] },
    { extraHosts: [{ hostname: "db", ipAddress: "::1" }] },
    { image: `hello:1@sha256:${"0".repeat(64)}` },
  ];
  const task = { executionRoleArn: "arn:aws:iam::111111111111:role/execution" };
  for (const changes of good) assert.equal(violation(changes, task), undefined);
});

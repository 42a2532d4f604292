import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerDefinition, RegisterTaskDefinitionRequest } from "@aws-sdk/client-ecs";
import { placementAttributesOf, requiredAttributesOf } from "./task-definition-attributes.ts";
import { compatibilitiesOf } from "./task-definition-compatibility.ts";
import { normaliseTaskDefinition } from "./task-definition-normalise.ts";
import { findDefinitionViolation } from "./task-definition-rules.ts";

const container = (override: Partial<ContainerDefinition> = {}): ContainerDefinition => ({
  name: "web",
  image: "busybox",
  memory: 64,
  ...override,
});

const request = (
  override: Partial<RegisterTaskDefinitionRequest> = {},
): RegisterTaskDefinitionRequest => ({
  family: "hello",
  containerDefinitions: [container()],
  ...override,
});

/** A definition that FARGATE takes. */
const fargate = (
  override: Partial<RegisterTaskDefinitionRequest> = {},
): RegisterTaskDefinitionRequest =>
  request({ networkMode: "awsvpc", cpu: "256", memory: "512", ...override });

const awslogs = {
  logDriver: "awslogs",
  options: { "awslogs-group": "g", "awslogs-region": "r", "awslogs-stream-prefix": "p" },
} as const;

test("findDefinitionViolation() has nothing against what ECS takes", () => {
  for (const good of [
    request(),
    fargate(),
    request({ memory: "1 GB", containerDefinitions: [container({ memory: undefined })] }),
    request({
      containerDefinitions: [
        container({ dependsOn: [{ containerName: "db", condition: "HEALTHY" }], links: ["db:d"] }),
        container({ name: "db", healthCheck: { command: ["CMD", "true"] } }),
      ],
    }),
    request({
      networkMode: "bridge",
      containerDefinitions: [container({ portMappings: [{ containerPort: 80, hostPort: 8080 }] })],
    }),
  ]) {
    assert.equal(findDefinitionViolation(good), undefined);
  }
});

test("findDefinitionViolation() says what is wrong in ECS's words", () => {
  const withContainer = (override: Partial<ContainerDefinition>, networkMode?: "awsvpc" | "host") =>
    request({ containerDefinitions: [container(override)], ...(networkMode && { networkMode }) });
  const table: readonly (readonly [RegisterTaskDefinitionRequest, string | RegExp])[] = [
    [request({ family: "" }), "Family should not be null or empty."],
    [request({ family: "a b" }), "Family contains invalid characters."],
    [request({ containerDefinitions: [] }), "Container list cannot be empty."],
    [
      request({
        containerDefinitions: Array.from({ length: 11 }, (_, n) => container({ name: `c${n}` })),
      }),
      /more than 10 containers/,
    ],
    [withContainer({ command: ["x".repeat(70_000)] }), /^Actual length: '\d+'\. Max allowed/],
    [withContainer({ name: "" }), "Container.name should not be null or empty."],
    [withContainer({ name: "a/b" }), "Container.name contains invalid characters."],
    [withContainer({ image: undefined }), "Container.image should not be null or empty."],
    [withContainer({ image: "x".repeat(256) }), /more than 255/],
    [
      withContainer({ memory: undefined }),
      "Invalid setting for container 'web'. At least one of 'memory' or 'memoryReservation' must be specified.",
    ],
    [withContainer({ memory: 3 }), /at least 4/],
    [
      withContainer({ memoryReservation: 128 }),
      /must be greater than or equal to 'memoryReservation'/,
    ],
    [request({ cpu: "many" }), /^Invalid 'cpu' setting for task\./],
    [request({ memory: "much" }), /^Invalid 'memory' setting for task/],
    [
      request({ containerDefinitions: [container(), container()] }),
      "Container names must be unique within a task definition.",
    ],
    [withContainer({ essential: false }), /essential/],
    [
      withContainer({ portMappings: [{ containerPort: 80, hostPort: 81 }] }, "awsvpc"),
      "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
    ],
    [
      withContainer({ portMappings: [{ containerPort: 80, hostPort: 81 }] }, "host"),
      "When networkMode=host, the host ports and container ports in port mappings must match.",
    ],
    [
      withContainer({ portMappings: [{ containerPort: 0 }] }),
      "Invalid 'containerPort' setting for container 'web'.",
    ],
    [withContainer({ portMappings: [{ containerPortRange: "90-80" }] }), /'containerPortRange'/],
    [
      withContainer({ links: ["db"] }, "awsvpc"),
      "Links are not supported when networkMode=awsvpc.",
    ],
    [
      withContainer({ hostname: "h" }, "awsvpc"),
      "Hostname is not supported on container when networkMode=awsvpc.",
    ],
    [
      withContainer({ dnsServers: ["1.1.1.1"] }, "awsvpc"),
      "DNS servers are not supported on container when networkMode=awsvpc.",
    ],
    [
      withContainer({ mountPoints: [{ sourceVolume: "data", containerPath: "/" }] }),
      "Unknown volume 'data'.",
    ],
    [
      withContainer({
        environment: [{ name: "KEY", value: "1" }],
        secrets: [{ name: "KEY", valueFrom: "parameter" }],
      }),
      /^The secret name must be unique .* such as 'KEY'\.$/,
    ],
    [
      withContainer({ dependsOn: [{ containerName: "db", condition: "START" }] }),
      "Cannot depend on container db because it does not exist.",
    ],
    [
      withContainer({ volumesFrom: [{ sourceContainer: "db" }] }),
      "Invalid 'volumesFrom' setting. Unknown container: 'db'.",
    ],
    [withContainer({ links: ["db"] }), /links to container 'db'/],
    [withContainer({ dependsOn: [{ containerName: "web", condition: "START" }] }), /on itself/],
    [
      request({
        containerDefinitions: [
          container({ dependsOn: [{ containerName: "init", condition: "SUCCESS" }] }),
          container({ name: "init" }),
        ],
      }),
      "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container.",
    ],
    [withContainer({ healthCheck: { command: ["x"], interval: 4 } }), /between 5 and 300/],
    [
      withContainer({ logConfiguration: { logDriver: "awslogs" } }),
      "Log driver awslogs requires options: awslogs-region, awslogs-group",
    ],
    [
      request({ ephemeralStorage: { sizeInGiB: 20 } }),
      "EphemeralStorage size should be at least 21",
    ],
    [
      request({ ephemeralStorage: { sizeInGiB: 201 } }),
      "EphemeralStorage size should be at most 200",
    ],
    [
      request({ memory: "32" }),
      "The 'memory' setting for container 'web' is greater than for the task.",
    ],
    [
      request({ cpu: "128", containerDefinitions: [container({ cpu: 129 })] }),
      "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.",
    ],
  ];
  for (const [wrong, message] of table) {
    const violation = findDefinitionViolation(wrong) ?? "nothing";
    if (typeof message === "string") assert.equal(violation, message);
    else assert.match(violation, message);
  }
});

test("normaliseTaskDefinition() shows the defaults of ECS and leaves the rest absent", () => {
  assert.deepEqual(
    normaliseTaskDefinition({
      family: "sleep",
      containerDefinitions: [
        { name: "sleep", image: "busybox", memory: 10, portMappings: [{ containerPort: 80 }] },
      ],
      volumes: [{ name: "scratch" }, { name: "later", configuredAtLaunch: false }],
      cpu: ".5 vCPU",
      memory: "1GB",
    }),
    {
      family: "sleep",
      containerDefinitions: [
        {
          name: "sleep",
          image: "busybox",
          cpu: 0,
          memory: 10,
          essential: true,
          portMappings: [{ containerPort: 80, hostPort: 0, protocol: "tcp" }],
          environment: [],
          mountPoints: [],
          volumesFrom: [],
          systemControls: [],
        },
      ],
      volumes: [
        { name: "scratch", host: {} },
        { name: "later", configuredAtLaunch: false, host: {} },
      ],
      placementConstraints: [],
      cpu: "512",
      memory: "1024",
    },
  );
});

test("normaliseTaskDefinition() gives awsvpc and host mode the same port outside as inside", () => {
  for (const networkMode of ["awsvpc", "host"] as const) {
    const { containerDefinitions } = normaliseTaskDefinition(
      request({
        networkMode,
        containerDefinitions: [container({ portMappings: [{ containerPort: 80 }] })],
      }),
    );
    assert.equal(containerDefinitions?.[0]?.portMappings?.[0]?.hostPort, 80);
  }
});

test("normaliseTaskDefinition() takes an empty role for none", () => {
  const { taskRoleArn, executionRoleArn } = normaliseTaskDefinition(
    request({ taskRoleArn: "", executionRoleArn: "" }),
  );
  assert.deepEqual([taskRoleArn, executionRoleArn], [undefined, undefined]);
});

test("normaliseTaskDefinition() takes what is no protocol for tcp", () => {
  const given = ["http", "UDP", "udp"] as const;
  const { containerDefinitions } = normaliseTaskDefinition(
    request({
      containerDefinitions: [
        container({
          portMappings: given.map((protocol, at) => ({
            containerPort: 80 + at,
            protocol: protocol as "tcp",
          })),
        }),
      ],
    }),
  );
  const shown = containerDefinitions?.[0]?.portMappings?.map(({ protocol }) => protocol);
  assert.deepEqual(shown, ["tcp", "tcp", "udp"]);
});

test("normaliseTaskDefinition() completes a health check", () => {
  const { containerDefinitions } = normaliseTaskDefinition(
    request({ containerDefinitions: [container({ healthCheck: { command: ["CMD", "true"] } })] }),
  );
  assert.deepEqual(containerDefinitions?.[0]?.healthCheck, {
    command: ["CMD", "true"],
    interval: 30,
    timeout: 5,
    retries: 3,
  });
});

test("compatibilitiesOf() finds where a definition can run", () => {
  const compatible = (given: RegisterTaskDefinitionRequest): string[] =>
    compatibilitiesOf(normaliseTaskDefinition(given)).compatible.toSorted();
  assert.deepEqual(compatible(request()), ["EC2", "EXTERNAL"]);
  assert.deepEqual(compatible(fargate()), ["EC2", "FARGATE", "MANAGED_INSTANCES"]);
  assert.deepEqual(compatible(request({ networkMode: "awsvpc" })), ["EC2"]);
  const plain = container({ hostname: "", links: [], privileged: false });
  assert.ok(compatible(fargate({ containerDefinitions: [plain] })).includes("FARGATE"));
});

test("compatibilitiesOf() says in ECS's words why FARGATE cannot run a definition", () => {
  const withContainer = (override: Partial<ContainerDefinition>) =>
    fargate({ containerDefinitions: [container(override)] });
  const table: readonly (readonly [RegisterTaskDefinitionRequest, string])[] = [
    [fargate({ networkMode: "host" }), "Fargate only supports network mode ‘awsvpc’."],
    [fargate({ cpu: undefined }), "Fargate requires that 'cpu' be defined at the task level."],
    [
      fargate({ memory: "768" }),
      "No Fargate configuration exists for given values: 256 CPU, 768 memory. See the Amazon ECS documentation for the valid values.",
    ],
    [
      withContainer({ logConfiguration: awslogs }),
      "Fargate requires task definition to have execution role ARN to support log driver awslogs.",
    ],
    [
      withContainer({ image: "111111111111.dkr.ecr.us-east-1.amazonaws.com/app:1" }),
      "Fargate requires task definition to have execution role ARN to support ECR images.",
    ],
    [
      fargate({ pidMode: "host" }),
      "Tasks using the Fargate launch type do not support pidMode 'host'. The supported value for pidMode is 'task'.",
    ],
    [
      withContainer({ privileged: true }),
      "Fargate requires that the 'privileged' setting be 'false'.",
    ],
    [
      withContainer({ linuxParameters: { sharedMemorySize: 64 } }),
      "Fargate compatible task definitions do not support sharedMemorySize.",
    ],
  ];
  for (const [given, reason] of table) {
    assert.equal(compatibilitiesOf(normaliseTaskDefinition(given)).reasons.get("FARGATE"), reason);
  }
});

test("requiredAttributesOf() asks for what a definition uses", () => {
  const names = requiredAttributesOf(
    normaliseTaskDefinition(
      fargate({
        executionRoleArn: "arn:aws:iam::111111111111:role/e",
        taskRoleArn: "arn:aws:iam::111111111111:role/t",
        containerDefinitions: [
          container({
            image: "111111111111.dkr.ecr.us-east-1.amazonaws.com/app:1",
            logConfiguration: awslogs,
            secrets: [{ name: "A", valueFrom: "arn:aws:secretsmanager:us-east-1:1:secret:a" }],
            privileged: true,
          }),
        ],
      }),
    ),
  ).map(({ name }) => name);
  assert.deepEqual(names.toSorted(), [
    "com.amazonaws.ecs.capability.docker-remote-api.1.18",
    "com.amazonaws.ecs.capability.docker-remote-api.1.19",
    "com.amazonaws.ecs.capability.docker-remote-api.1.21",
    "com.amazonaws.ecs.capability.ecr-auth",
    "com.amazonaws.ecs.capability.logging-driver.awslogs",
    "com.amazonaws.ecs.capability.privileged-container",
    "com.amazonaws.ecs.capability.task-iam-role",
    "ecs.capability.execution-role-awslogs",
    "ecs.capability.execution-role-ecr-pull",
    "ecs.capability.secrets.asm.environment-variables",
    "ecs.capability.task-cpu-mem-limit",
    "ecs.capability.task-eni",
  ]);
  assert.deepEqual(requiredAttributesOf(normaliseTaskDefinition(request())), []);
});

test("placementAttributesOf() adds the platform and what the task was started with", () => {
  const document = normaliseTaskDefinition(
    request({ runtimePlatform: { cpuArchitecture: "ARM64", operatingSystemFamily: "LINUX" } }),
  );
  assert.deepEqual(
    placementAttributesOf(document, {
      enableExecuteCommand: true,
      launchType: "EC2",
      overrides: { containerOverrides: [] },
    }),
    [
      { name: "ecs.cpu-architecture", value: "arm64" },
      { name: "ecs.os-type", value: "linux" },
      { name: "ecs.capability.execute-command" },
    ],
  );
});

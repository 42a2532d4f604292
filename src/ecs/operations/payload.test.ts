import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerDefinition } from "@aws-sdk/client-ecs";
import type { PayloadContainer, PayloadTask } from "../../protocol/acs.ts";
import { buildContainer, buildTask } from "../model/task.fixture.ts";
import type { Task } from "../model/task.ts";
import type { TaskDefinition, TaskDefinitionDocument } from "../model/task-definition.ts";
import { toPayloadTask } from "./payload.ts";

const scope = { accountId: "111111111111", region: "us-east-1" };
const arn = "arn:aws:ecs:us-east-1:111111111111";

test("a payload names task, cluster, definition and container by their ARNs and numbers", () => {
  const payload = payloadOf({}, { group: "service:shop", revision: 3 });
  assert.equal(payload.arn, `${arn}:task/demo/11111111111111111111111111111111`);
  assert.equal(payload.taskClusterArn, `${arn}:cluster/demo`);
  assert.deepEqual([payload.family, payload.version], ["hello", "3"]);
  assert.deepEqual([payload.group, payload.serviceName], ["service:shop", "shop"]);
  assert.equal(
    payload.containers[0]?.containerArn,
    `${arn}:container/demo/11111111111111111111111111111111/00000000-0000-4000-8000-000000000001`,
  );
});

test("a payload limits a task only by a size that someone gave it", () => {
  const sum = { cpu: "256", memory: "512" };
  const limits = ({ cpu, memory }: PayloadTask): unknown => ({ cpu, memory });
  assert.deepEqual(limits(payloadOf({}, sum)), { cpu: undefined, memory: undefined });
  assert.deepEqual(limits(payloadOf({}, sum, sum)), { cpu: 0.25, memory: 512 });
  const overrides = { containerOverrides: [], cpu: "256" };
  assert.deepEqual(limits(payloadOf({}, { ...sum, overrides })), { cpu: 0.25, memory: undefined });
});

test("overrides are merged into the container, by name of the variable", () => {
  const container = containerOf(
    {
      command: ["a"],
      memory: 64,
      environment: [
        { name: "A", value: "1" },
        { name: "B", value: "2" },
      ],
    },
    {
      overrides: {
        containerOverrides: [
          { name: "web", command: ["b"], memory: 128, environment: [{ name: "B", value: "3" }] },
        ],
      },
    },
  );
  assert.deepEqual(container.command, ["b"]);
  assert.equal(container.memory, 128);
  assert.deepEqual(container.environment, { AWS_EXECUTION_ENV: "AWS_ECS_EC2", A: "1", B: "3" });
  assert.equal(container.overrides, "{}");
});

test("an entry point that nobody gave is absent, an empty one is empty", () => {
  assert.equal("entryPoint" in containerOf({}), false);
  assert.deepEqual(containerOf({ entryPoint: [] }).entryPoint, []);
});

test("ports are published unless the task has its own network", () => {
  const portMappings = [{ containerPort: 80, hostPort: 0, protocol: "tcp" as const }];
  assert.deepEqual(
    containerOf({ portMappings }, { networkMode: "bridge" }).portMappings,
    portMappings,
  );
  assert.deepEqual(containerOf({ portMappings }, { networkMode: "awsvpc" }).portMappings, []);
});

/** Definition → what stands in Docker's two documents beside the network mode. */
const DOCKER: readonly [string, ContainerDefinition, object, object][] = [
  ["nothing", {}, {}, {}],
  [
    "the process",
    { user: "1:2", workingDirectory: "/w", hostname: "h", dockerLabels: { a: "b" } },
    { User: "1:2", WorkingDir: "/w", Hostname: "h", Labels: { a: "b" } },
    {},
  ],
  [
    "the terminal",
    { interactive: true, pseudoTerminal: true, disableNetworking: true },
    { OpenStdin: true, Tty: true, NetworkDisabled: true },
    {},
  ],
  [
    "a health check in Docker's form",
    { healthCheck: { command: ["CMD-SHELL", "x"], interval: 30, timeout: 5, retries: 3 } },
    { Healthcheck: { Test: ["CMD-SHELL", "x"], Interval: 30e9, Timeout: 5e9, Retries: 3 } },
    {},
  ],
  [
    "a bare health check",
    { healthCheck: { command: ["x"], startPeriod: 10 } },
    { Healthcheck: { Test: ["CMD", "x"], StartPeriod: 10e9 } },
    {},
  ],
  ["memory", { memoryReservation: 32 }, {}, { MemoryReservation: 33554432 }],
  [
    "privileges",
    {
      privileged: true,
      readonlyRootFilesystem: true,
      dockerSecurityOptions: ["no-new-privileges"],
    },
    {},
    { Privileged: true, ReadonlyRootfs: true, SecurityOpt: ["no-new-privileges"] },
  ],
  [
    "capabilities",
    { linuxParameters: { capabilities: { add: ["SYS_PTRACE"], drop: ["ALL"] } } },
    {},
    { CapAdd: ["SYS_PTRACE"], CapDrop: ["ALL"] },
  ],
  [
    "devices",
    {
      linuxParameters: {
        devices: [
          { hostPath: "/dev/a" },
          { hostPath: "/dev/b", containerPath: "/dev/c", permissions: ["read"] },
        ],
      },
    },
    {},
    {
      Devices: [
        { PathOnHost: "/dev/a", PathInContainer: "/dev/a", CgroupPermissions: "rwm" },
        { PathOnHost: "/dev/b", PathInContainer: "/dev/c", CgroupPermissions: "r" },
      ],
    },
  ],
  [
    "init, shared memory, tmpfs",
    {
      linuxParameters: {
        initProcessEnabled: true,
        sharedMemorySize: 64,
        tmpfs: [{ containerPath: "/t", size: 8, mountOptions: ["noexec"] }],
      },
    },
    {},
    { Init: true, ShmSize: 67108864, Tmpfs: { "/t": "size=8m,noexec" } },
  ],
  [
    "swap on top of memory",
    { memory: 64, linuxParameters: { maxSwap: 64, swappiness: 10 } },
    {},
    { MemorySwappiness: 10, MemorySwap: 134217728 },
  ],
  ["no swappiness without swap", { memory: 64, linuxParameters: { swappiness: 10 } }, {}, {}],
  [
    "limits and kernel settings",
    {
      ulimits: [{ name: "nofile", softLimit: 1, hardLimit: 2 }],
      systemControls: [{ namespace: "net.core.somaxconn", value: "9" }],
    },
    {},
    { Ulimits: [{ Name: "nofile", Soft: 1, Hard: 2 }], Sysctls: { "net.core.somaxconn": "9" } },
  ],
  [
    "names",
    {
      dnsServers: ["10.0.0.2"],
      dnsSearchDomains: ["lab"],
      extraHosts: [{ hostname: "a", ipAddress: "10.0.0.3" }],
    },
    {},
    { Dns: ["10.0.0.2"], DnsSearch: ["lab"], ExtraHosts: ["a:10.0.0.3"] },
  ],
  [
    "awslogs: the prefix becomes a stream",
    {
      logConfiguration: {
        logDriver: "awslogs",
        options: { "awslogs-group": "/g", "awslogs-stream-prefix": "p" },
      },
    },
    {},
    {
      LogConfig: {
        Type: "awslogs",
        Config: {
          "awslogs-group": "/g",
          "awslogs-stream": "p/web/11111111111111111111111111111111",
        },
      },
    },
  ],
  [
    "any other log driver",
    { logConfiguration: { logDriver: "json-file", options: { "max-size": "1m" } } },
    {},
    { LogConfig: { Type: "json-file", Config: { "max-size": "1m" } } },
  ],
];

for (const [name, definition, config, hostConfig] of DOCKER) {
  test(`dockerConfig says ${name} as Docker does`, () => {
    const { dockerConfig } = containerOf(definition);
    assert.deepEqual(JSON.parse(dockerConfig.config), config);
    assert.deepEqual(JSON.parse(dockerConfig.hostConfig), { NetworkMode: "host", ...hostConfig });
  });
}

test("dockerConfig asks for an API version that knows what it says", () => {
  const version = (definition: ContainerDefinition): string | undefined =>
    containerOf(definition).dockerConfig.version;
  assert.equal(version({}), "1.21");
  assert.equal(version({ healthCheck: { command: ["x"] } }), "1.24");
  assert.equal(version({ linuxParameters: { initProcessEnabled: true } }), "1.25");
  assert.equal(version({ healthCheck: { command: ["x"], startPeriod: 1 } }), "1.29");
});

test("the log driver signs with the execution role where there is one", () => {
  const logConfiguration = { logDriver: "awslogs" as const, options: {} };
  const executionRoleArn = "arn:aws:iam::111111111111:role/exec";
  assert.equal(containerOf({ logConfiguration }).logsAuthStrategy, undefined);
  const container = containerOf({ logConfiguration }, { executionRoleArn });
  assert.equal(container.logsAuthStrategy, "ExecutionRole");
});

test("secrets say which service of which region keeps them", () => {
  const valueFrom = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:x-AbCdEf";
  const { secrets } = containerOf({
    secrets: [
      { name: "A", valueFrom: "parameter" },
      { name: "B", valueFrom },
    ],
  });
  const common = { type: "ENVIRONMENT_VARIABLE", target: "CONTAINER" };
  assert.deepEqual(secrets, [
    { name: "A", valueFrom: "parameter", region: "us-east-1", provider: "ssm", ...common },
    { name: "B", valueFrom, region: "eu-west-1", provider: "asm", ...common },
  ]);
});

test("the login for an image comes out of the secret it names, or of its ECR registry", () => {
  const credentialsParameter = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:hub-AbCdEf";
  const login = (container: Partial<ContainerDefinition>, task?: Partial<Task>): unknown =>
    containerOf(container, task).registryAuthentication;
  assert.equal(login({ image: "hello" }), undefined);
  assert.deepEqual(login({ repositoryCredentials: { credentialsParameter } }), {
    type: "asm",
    asmAuthData: { credentialsParameter, region: "eu-west-1" },
  });
  const name = { repositoryCredentials: { credentialsParameter: "hub" } };
  assert.deepEqual(login(name), {
    type: "asm",
    asmAuthData: { credentialsParameter: "hub", region: "us-east-1" },
  });
  const image = "222222222222.dkr.ecr.us-west-2.amazonaws.com/app:1";
  const ecrAuthData = { registryId: "222222222222", region: "us-west-2", useExecutionRole: false };
  assert.deepEqual(login({ image }), { type: "ecr", ecrAuthData });
  assert.deepEqual(login({ image }, { executionRoleArn: "arn:aws:iam::111111111111:role/x" }), {
    type: "ecr",
    ecrAuthData: { ...ecrAuthData, useExecutionRole: true },
  });
});

test("what a task asks of its agent beside containers goes with it", () => {
  const proxyConfiguration = {
    containerName: "envoy",
    properties: [
      { name: "IgnoredUID", value: "1337" },
      { name: "AppPorts", value: "80" },
    ],
  };
  const payload = payloadOf({}, {}, { enableFaultInjection: true, proxyConfiguration });
  assert.equal(payload.enableFaultInjection, true);
  assert.deepEqual(payload.proxyConfiguration, {
    type: "APPMESH",
    containerName: "envoy",
    properties: { IgnoredUID: "1337", AppPorts: "80" },
  });
  const credentialSpecs = ["credentialspec:arn:aws:s3:::specs/web.json"];
  assert.deepEqual(containerOf({ credentialSpecs }).credentialSpecs, credentialSpecs);
});

test("an awsvpc task carries its network interface", () => {
  const task = buildTask({
    networkMode: "awsvpc",
    attachment: { id: "att", status: "ATTACHED", subnetId: "subnet-1" },
  });
  const subnet = { ...scope, subnetId: "subnet-1", vpcId: "vpc-1", cidr: "172.31.16.0/20" };
  const payload = toPayloadTask({
    task,
    definition: definitionOf({}, {}),
    network: {
      interface: {
        ...scope,
        interfaceId: "eni-1",
        vpcId: "vpc-1",
        subnetId: "subnet-1",
        macAddress: "02:00:00:00:00:06",
        privateIpv4Address: "172.31.16.9",
        privateDnsName: "ip-172-31-16-9.ec2.internal",
        securityGroups: [],
        ec2InstanceId: "i-1",
        taskArn: "t",
        createdAt: 1,
      },
      subnet: { ...subnet, availabilityZone: "us-east-1a", isDefault: true },
    },
  });
  assert.equal(payload.networkMode, "awsvpc");
  assert.deepEqual(payload.elasticNetworkInterfaces, [
    {
      attachmentArn: `${arn}:attachment/demo/att`,
      ec2Id: "eni-1",
      macAddress: "02:00:00:00:00:06",
      ipv4Addresses: [{ privateAddress: "172.31.16.9", primary: true }],
      ipv6Addresses: [],
      subnetGatewayIpv4Address: "172.31.16.1/20",
      domainName: ["ec2.internal"],
      domainNameServers: [],
      privateDnsName: "ip-172-31-16-9.ec2.internal",
    },
  ]);
});

test("awslogs has the account's mode where its definition does not say", () => {
  const modeOf = (options: Record<string, string>): string | undefined => {
    const logConfiguration = { logDriver: "awslogs" as const, options };
    const [container] = toPayloadTask({
      task: buildTask({ containers: [buildContainer()] }),
      definition: definitionOf({ logConfiguration }, {}),
      logDriverMode: "blocking",
    }).containers;
    return JSON.parse(container?.dockerConfig?.hostConfig ?? "{}").LogConfig.Config.mode;
  };
  assert.equal(modeOf({ "awslogs-group": "/g" }), "blocking");
  assert.equal(modeOf({ "awslogs-group": "/g", mode: "non-blocking" }), "non-blocking");
});

function definitionOf(
  container: ContainerDefinition,
  document: Partial<TaskDefinitionDocument>,
): TaskDefinition {
  return {
    ...scope,
    family: "hello",
    revision: 1,
    status: "ACTIVE",
    document: {
      family: "hello",
      containerDefinitions: [{ name: "web", image: "hello", ...container }],
      ...document,
    },
    registeredAt: 1,
    registeredBy: "arn:aws:iam::111111111111:root",
    tags: [],
  };
}

function payloadOf(
  container: ContainerDefinition,
  task: Partial<Task> = {},
  document: Partial<TaskDefinitionDocument> = {},
): PayloadTask {
  const definition = definitionOf(container, document);
  return toPayloadTask({
    task: buildTask({ containers: [buildContainer()], ...task }),
    definition,
  });
}

function containerOf(container: ContainerDefinition, task: Partial<Task> = {}): PayloadContainer {
  const [payload] = payloadOf(container, task).containers;
  assert.ok(payload);
  return payload;
}

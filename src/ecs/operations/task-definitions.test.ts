import assert from "node:assert/strict";
import { test } from "node:test";
import type { RegisterTaskDefinitionRequest } from "@aws-sdk/client-ecs";
import { openApi, registerEc2, registerFargate } from "./api.fixture.ts";

/** Every member that a definition can have, with a value that is not its default. */
const EVERYTHING: RegisterTaskDefinitionRequest = {
  family: "everything",
  taskRoleArn: "arn:aws:iam::111111111111:role/task",
  executionRoleArn: "arn:aws:iam::111111111111:role/execution",
  networkMode: "awsvpc",
  cpu: "2048",
  memory: "4096",
  pidMode: "task",
  ipcMode: "none",
  ephemeralStorage: { sizeInGiB: 30 },
  runtimePlatform: { cpuArchitecture: "X86_64", operatingSystemFamily: "LINUX" },
  enableFaultInjection: true,
  requiresCompatibilities: ["MANAGED_INSTANCES"],
  placementConstraints: [{ type: "memberOf", expression: "attribute:stack == prod" }],
  proxyConfiguration: {
    type: "APPMESH",
    containerName: "proxy",
    properties: [
      { name: "IgnoredUID", value: "1337" },
      { name: "AppPorts", value: "80" },
      { name: "ProxyIngressPort", value: "15000" },
      { name: "ProxyEgressPort", value: "15001" },
    ],
  },
  volumes: [
    { name: "host", host: { sourcePath: "/srv" } },
    {
      name: "docker",
      dockerVolumeConfiguration: {
        scope: "shared",
        autoprovision: true,
        driver: "local",
        driverOpts: { type: "nfs" },
        labels: { a: "b" },
      },
    },
    {
      name: "efs",
      efsVolumeConfiguration: {
        fileSystemId: "fs-1",
        rootDirectory: "/",
        transitEncryption: "ENABLED",
        transitEncryptionPort: 2049,
        authorizationConfig: { accessPointId: "fsap-1", iam: "ENABLED" },
      },
    },
    { name: "later", configuredAtLaunch: true },
  ],
  containerDefinitions: [
    {
      name: "proxy",
      image: "proxy@sha256:0000000000000000000000000000000000000000000000000000000000000000",
      repositoryCredentials: { credentialsParameter: "arn:aws:secretsmanager:r:1:secret:s" },
      cpu: 128,
      memory: 512,
      memoryReservation: 256,
      portMappings: [
        { containerPort: 80, hostPort: 80, protocol: "tcp", name: "http", appProtocol: "http2" },
        { containerPortRange: "9000-9010", protocol: "udp" },
      ],
      essential: true,
      restartPolicy: { enabled: true, ignoredExitCodes: [0], restartAttemptPeriod: 60 },
      entryPoint: ["/bin/sh", "-c"],
      command: ["sleep 1"],
      environment: [{ name: "A", value: "1" }],
      environmentFiles: [{ value: "arn:aws:s3:::bucket/file.env", type: "s3" }],
      mountPoints: [
        { sourceVolume: "host", containerPath: "/data", readOnly: true },
        { sourceVolume: "later", containerPath: "/later" },
      ],
      volumesFrom: [{ sourceContainer: "other", readOnly: true }],
      linuxParameters: {
        capabilities: { add: ["SYS_PTRACE"], drop: ["MKNOD"] },
        devices: [{ hostPath: "/dev/null", containerPath: "/dev/x", permissions: ["read"] }],
        initProcessEnabled: true,
        sharedMemorySize: 64,
        tmpfs: [{ containerPath: "/tmp", size: 16, mountOptions: ["noexec"] }],
        maxSwap: 128,
        swappiness: 10,
      },
      secrets: [{ name: "S", valueFrom: "parameter" }],
      dependsOn: [{ containerName: "other", condition: "START" }],
      startTimeout: 10,
      stopTimeout: 20,
      versionConsistency: "disabled",
      user: "1000:1000",
      workingDirectory: "/srv",
      privileged: true,
      readonlyRootFilesystem: true,
      dockerSecurityOptions: ["no-new-privileges"],
      interactive: true,
      pseudoTerminal: true,
      dockerLabels: { a: "b" },
      ulimits: [{ name: "nofile", softLimit: 1, hardLimit: 2 }],
      logConfiguration: {
        logDriver: "awslogs",
        options: { "awslogs-group": "g", "awslogs-region": "r" },
        secretOptions: [{ name: "t", valueFrom: "parameter" }],
      },
      healthCheck: {
        command: ["CMD", "true"],
        interval: 6,
        timeout: 4,
        retries: 2,
        startPeriod: 1,
      },
      systemControls: [{ namespace: "net.core.somaxconn", value: "1024" }],
      resourceRequirements: [{ type: "GPU", value: "1" }],
      firelensConfiguration: {
        type: "fluentbit",
        options: { "config-file-type": "file", "config-file-value": "/etc/fluent.conf" },
      },
      credentialSpecs: ["credentialspec:arn"],
    },
    {
      name: "other",
      image: "other",
      cpu: 0,
      essential: false,
      portMappings: [],
      environment: [],
      mountPoints: [],
      volumesFrom: [],
      systemControls: [],
    },
  ],
};

test("every member of a task definition comes back as it was given", async () => {
  await using api = await openApi();
  const tags = [{ key: "team", value: "web" }];
  await api.call("RegisterTaskDefinition", { ...EVERYTHING, tags });
  const answer = await api.call("DescribeTaskDefinition", {
    taskDefinition: "everything",
    include: ["TAGS"],
  });
  const {
    taskDefinitionArn,
    revision,
    status,
    registeredAt,
    registeredBy,
    compatibilities,
    requiresAttributes,
    ...given
  } = answer.taskDefinition ?? {};
  assert.deepEqual(given, EVERYTHING);
  assert.deepEqual(answer.tags, tags);
  assert.equal(
    taskDefinitionArn,
    "arn:aws:ecs:us-east-1:111111111111:task-definition/everything:1",
  );
  assert.equal(revision, 1);
  assert.equal(status, "ACTIVE");
  assert.ok(registeredAt instanceof Date);
  assert.equal(registeredBy, "arn:aws:iam::111111111111:root");
  assert.deepEqual(compatibilities, ["EC2", "MANAGED_INSTANCES"]);
  assert.ok(requiresAttributes?.some(({ name }) => name === "ecs.capability.fault-injection"));
});

test("revisions count on, also after the last one was deregistered, and when two come at once", async () => {
  await using api = await openApi();
  await registerEc2(api);
  await api.call("DeregisterTaskDefinition", { taskDefinition: "ec2:1" });
  await Promise.all([registerEc2(api), registerEc2(api), registerEc2(api)]);
  const { taskDefinitionArns } = await api.call("ListTaskDefinitions", { sort: "DESC" });
  assert.deepEqual(
    taskDefinitionArns?.map((arn) => arn.split("/")[1]),
    ["ec2:4", "ec2:3", "ec2:2"],
  );
});

test("a family alone means its newest ACTIVE revision", async () => {
  await using api = await openApi();
  await registerEc2(api);
  await registerEc2(api);
  await api.call("DeregisterTaskDefinition", { taskDefinition: "ec2:2" });
  const { taskDefinition } = await api.call("DescribeTaskDefinition", { taskDefinition: "ec2" });
  assert.equal(taskDefinition?.revision, 1);
  const inactive = await api.call("DescribeTaskDefinition", { taskDefinition: "ec2:2" });
  assert.equal(inactive.taskDefinition?.status, "INACTIVE");
  assert.ok(inactive.taskDefinition?.deregisteredAt instanceof Date);
  await assert.rejects(api.call("DescribeTaskDefinition", { taskDefinition: "ec2:2:1" }), {
    message: "Unable to describe task definition.",
  });
});

test("unknown and malformed definitions are refused in ECS's words", async () => {
  await using api = await openApi();
  const unknown = { name: "ClientException", message: "Unable to describe task definition." };
  for (const taskDefinition of ["none", "none:1", "arn:aws:ecs:eu-west-1:1:cluster/x", "a:b:c"]) {
    await assert.rejects(api.call("DescribeTaskDefinition", { taskDefinition }), unknown);
  }
  await assert.rejects(api.call("DeregisterTaskDefinition", { taskDefinition: "none:1" }), unknown);
  await assert.rejects(api.call("DeregisterTaskDefinition", { taskDefinition: "none" }), {
    name: "ClientException",
    message: "Revision is missing.",
  });
  await assert.rejects(api.call("DeregisterTaskDefinition", { taskDefinition: "none:x" }), {
    name: "InvalidParameterException",
    message: "Invalid revision number. Number: x",
  });
  await assert.rejects(
    api.call("RegisterTaskDefinition", {
      family: "f",
      requiresCompatibilities: ["FARGATE"],
      containerDefinitions: [{ name: "a", image: "b", memory: 64 }],
    }),
    { name: "ClientException", message: "Fargate only supports network mode ‘awsvpc’." },
  );
});

test("pages of definitions go on where they ended, in either order, whatever comes and goes between them", async () => {
  await using api = await openApi();
  const register = (family: string): Promise<unknown> =>
    api.call("RegisterTaskDefinition", {
      family,
      containerDefinitions: [{ name: "a", image: "b", memory: 64 }],
    });
  // A hyphen comes before the slash of a key, and after the end of a name.
  for (const family of ["a", "a-b", "a", "b", "a-b", "a"]) await register(family);
  await api.call("DeregisterTaskDefinition", { taskDefinition: "a:2" });
  const all = ["a:1", "a:3", "a-b:1", "a-b:2", "b:1"];
  const page = async (input: { sort?: "DESC"; maxResults: number; nextToken?: string }) => {
    const { taskDefinitionArns = [], nextToken } = await api.call("ListTaskDefinitions", input);
    return { names: taskDefinitionArns.map((arn) => arn.split("/")[1]), nextToken };
  };
  for (const sort of [undefined, "DESC"] as const) {
    const order = { maxResults: 2, ...(sort && { sort }) };
    const expected = sort === "DESC" ? all.toReversed() : all;
    const names: (string | undefined)[] = [];
    let nextToken: string | undefined;
    do {
      const next = await page({ ...order, ...(nextToken && { nextToken }) });
      names.push(...next.names);
      nextToken = next.nextToken;
    } while (nextToken !== undefined);
    assert.deepEqual(names, expected);
  }
  const first = await page({ maxResults: 2 });
  await api.call("DeregisterTaskDefinition", { taskDefinition: "a:3" });
  await register("a");
  assert.ok(first.nextToken);
  const rest = await page({ maxResults: 9, nextToken: first.nextToken });
  assert.deepEqual(rest.names, ["a:4", "a-b:1", "a-b:2", "b:1"]);
});

test("lists go by family and number, and know families by their revisions' states", async () => {
  await using api = await openApi();
  for (let count = 0; count < 11; count++) await registerEc2(api);
  await registerFargate(api);
  await api.call("RegisterTaskDefinition", {
    family: "ec2-b",
    containerDefinitions: [{ name: "a", image: "b", memory: 64 }],
  });
  await api.call("DeregisterTaskDefinition", { taskDefinition: "fargate:1" });
  const names = async (input: { familyPrefix?: string; status?: "INACTIVE" }) =>
    (await api.call("ListTaskDefinitions", input)).taskDefinitionArns?.map(
      (arn) => arn.split("/")[1],
    );
  assert.deepEqual((await names({}))?.slice(-3), ["ec2:10", "ec2:11", "ec2-b:1"]);
  assert.equal((await names({ familyPrefix: "ec2" }))?.length, 11);
  assert.deepEqual(await names({ status: "INACTIVE" }), ["fargate:1"]);
  const families = async (input: { status?: "ACTIVE" | "INACTIVE"; familyPrefix?: string }) =>
    (await api.call("ListTaskDefinitionFamilies", input)).families;
  assert.deepEqual(await families({}), ["ec2", "ec2-b", "fargate"]);
  assert.deepEqual(await families({ status: "ACTIVE" }), ["ec2", "ec2-b"]);
  assert.deepEqual(await families({ status: "INACTIVE" }), ["fargate"]);
  assert.deepEqual(await families({ familyPrefix: "ec2-" }), ["ec2-b"]);
});

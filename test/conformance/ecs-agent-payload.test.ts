/** A definition that says nearly all there is to say, as the unmodified ECS agent reads it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ContainerDefinition,
  RegisterTaskDefinitionCommand,
  type RegisterTaskDefinitionCommandInput,
} from "@aws-sdk/client-ecs";
import { openLab, ROLE } from "./ecs-agent-lab.ts";

const WEB: ContainerDefinition = {
  name: "web",
  image: "registry.example/web:1",
  memory: 128,
  memoryReservation: 64,
  cpu: 10,
  entryPoint: ["/bin/sh", "-c"],
  command: ["sleep 60"],
  environment: [{ name: "A", value: "1" }],
  secrets: [
    { name: "P", valueFrom: "/parameters/p" },
    { name: "S", valueFrom: "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-abcdef" },
  ],
  repositoryCredentials: {
    credentialsParameter: "arn:aws:secretsmanager:us-east-1:000000000000:secret:login-abcdef",
  },
  portMappings: [{ containerPort: 80 }, { containerPortRange: "8000-8003", protocol: "tcp" }],
  mountPoints: [
    { sourceVolume: "scratch", containerPath: "/scratch", readOnly: false },
    { sourceVolume: "machine", containerPath: "/machine", readOnly: true },
    { sourceVolume: "shared", containerPath: "/shared" },
  ],
  volumesFrom: [{ sourceContainer: "log" }],
  links: ["log:log"],
  dependsOn: [{ containerName: "log", condition: "START" }],
  startTimeout: 30,
  stopTimeout: 5,
  user: "1000:1000",
  workingDirectory: "/srv",
  hostname: "web",
  interactive: true,
  pseudoTerminal: true,
  dockerLabels: { team: "shop" },
  dnsServers: ["10.0.0.2"],
  dnsSearchDomains: ["example"],
  extraHosts: [{ hostname: "db", ipAddress: "10.0.0.9" }],
  readonlyRootFilesystem: true,
  ulimits: [{ name: "nofile", softLimit: 1024, hardLimit: 2048 }],
  systemControls: [{ namespace: "net.core.somaxconn", value: "512" }],
  healthCheck: { command: ["CMD-SHELL", "true"], startPeriod: 5 },
  restartPolicy: { enabled: true, ignoredExitCodes: [0], restartAttemptPeriod: 60 },
  linuxParameters: {
    capabilities: { add: ["SYS_PTRACE"], drop: ["MKNOD"] },
    devices: [{ hostPath: "/dev/null", containerPath: "/dev/n", permissions: ["read"] }],
    initProcessEnabled: true,
    sharedMemorySize: 64,
    tmpfs: [{ containerPath: "/tmp", size: 16, mountOptions: ["noexec"] }],
    maxSwap: 64,
    swappiness: 10,
  },
  logConfiguration: { logDriver: "awsfirelens", options: { Name: "stdout" } },
};

const DEFINITION: RegisterTaskDefinitionCommandInput = {
  family: "all",
  networkMode: "bridge",
  taskRoleArn: ROLE,
  executionRoleArn: ROLE,
  cpu: "256",
  memory: "512",
  pidMode: "task",
  ipcMode: "task",
  volumes: [
    { name: "scratch" },
    { name: "machine", host: { sourcePath: "/srv/data" } },
    {
      name: "shared",
      dockerVolumeConfiguration: { scope: "shared", autoprovision: true, driver: "local" },
    },
    { name: "cache", dockerVolumeConfiguration: { driver: "local" } },
    {
      name: "bucket",
      s3filesVolumeConfiguration: {
        fileSystemArn: "arn:aws:s3files:us-east-1:111111111111:file-system/fs-1",
      },
    },
  ],
  containerDefinitions: [
    WEB,
    {
      name: "log",
      image: "fluent-bit",
      essential: false,
      memory: 64,
      firelensConfiguration: { type: "fluentbit", options: { "enable-ecs-log-metadata": "true" } },
      logConfiguration: { logDriver: "json-file", options: { "max-size": "1m" } },
    },
  ],
};

test("a task that needs GPUs is placed where the agent has some, and is told which", async () => {
  await using lab = await openLab();
  await lab.door.ecs.send(
    new RegisterTaskDefinitionCommand({
      family: "model",
      containerDefinitions: [
        {
          name: "infer",
          image: "lab/busybox:1",
          memory: 64,
          resourceRequirements: [{ type: "GPU", value: "1" }],
        },
      ],
    }),
  );
  await lab.withAgent({ gpuIds: ["GPU-a", "GPU-b"] }, async (agent) => {
    await lab.run({ taskDefinition: "model" });
    const payload = await agent.frame("PayloadMessage");
    const [task] = payload.tasks as Readonly<Record<string, unknown>>[];
    assert.deepEqual(task?.associations, [
      {
        name: "GPU-a",
        type: "gpu",
        containers: ["infer"],
        content: { encoding: "identity", value: "" },
      },
    ]);
  });
});

test("a task with nearly all members is one that the agent takes, and its roles come with it", async () => {
  await using lab = await openLab();
  await lab.door.ecs.send(new RegisterTaskDefinitionCommand(DEFINITION));
  await lab.withAgent({}, async (agent) => {
    const arn = await lab.run({ taskDefinition: "all" });
    const payload = await agent.frame("PayloadMessage");
    const [task] = payload.tasks as Readonly<Record<string, unknown>>[];
    assert.ok(task);
    assert.deepEqual([task.arn, task.cpu, task.memory], [arn, 0.25, 512]);
    assert.deepEqual(task.volumes, [
      { name: "scratch", type: "host", host: { sourcePath: "" } },
      { name: "machine", type: "host", host: { sourcePath: "/srv/data" } },
      {
        name: "shared",
        type: "docker",
        dockerVolumeConfiguration: { scope: "shared", autoprovision: true, driver: "local" },
      },
      {
        name: "cache",
        type: "docker",
        dockerVolumeConfiguration: { scope: "task", driver: "local" },
      },
      { name: "bucket" },
    ]);
    assert.deepEqual(task.attachments, [
      {
        attachmentType: "s3files",
        attachmentProperties: [
          { name: "volumeId", value: "fs-1" },
          { name: "volumeName", value: "bucket" },
        ],
      },
    ]);
    const ids = ["roleCredentials", "executionRoleCredentials"].map(
      (role) => (task[role] as { credentialsId: string }).credentialsId,
    );
    assert.equal(new Set(ids).size, 2, "the agent keeps credentials by their id");
  });
});

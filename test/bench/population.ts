/** A store as a busy company's looks: nearly all of it tasks, nearly all of those stopped. */
import { createHash } from "node:crypto";
import {
  FLEET_ACCOUNT_ID,
  FLEET_CLUSTER,
  instanceKey,
  taskDefinitionKey,
  taskKey,
} from "../../src/ecs/model/keys.ts";
import type { Container, Task } from "../../src/ecs/model/task.ts";

const SCOPE = { accountId: "000000000000", region: "eu-central-1" };
const HOSTS = 500;

export interface Document {
  readonly key: string;
  readonly value: unknown;
}

/** The index value of one of the machines that run tasks. */
export const HOST: string = `${SCOPE.region}/${hostId(0)}`;

/** `count` records: 95 % tasks, of which every tenth runs, 2.5 % task definitions, 2.5 % container instances. */
export function* population(count: number): Generator<Document> {
  for (let i = 0; i < count; i++) {
    if (i % 40 === 0) yield taskDefinition(i);
    else if (i % 40 === 1) yield instance(i);
    else yield sampleTask(i);
  }
}

/** The `i`th task, about 2.4 KB of JSON. */
export function sampleTask(i: number): Document {
  const value = i % 10 === 0 ? taskRecord(i) : stopped(taskRecord(i));
  return { key: taskKey(value, value.clusterName, value.id), value };
}

/** The `i`th task as if it ran. */
export function runningTask(i: number): Document {
  const value = taskRecord(i);
  return { key: taskKey(value, value.clusterName, value.id), value };
}

function taskRecord(i: number): Task {
  const createdAt = 1_770_000_000_000 + i * 19;
  // In the order of ecs/model/new-task.
  return {
    lastStatus: "RUNNING",
    placement: {
      instance: {
        accountId: FLEET_ACCOUNT_ID,
        region: SCOPE.region,
        clusterName: FLEET_CLUSTER,
        id: hex(`instance-${i % HOSTS}`, 32),
      },
      ec2InstanceId: hostId(i % HOSTS),
      availabilityZone: "eu-central-1a",
      subnetId: "subnet-0123456789abcdef0",
      securityGroups: ["sg-0123456789abcdef0"],
    },
    desiredStatus: "RUNNING",
    ...SCOPE,
    clusterName: `production-${i % 5}`,
    family: `web-${i % 50}`,
    revision: i % 100,
    launchType: "FARGATE",
    group: `service:web-${i % 50}`,
    enableExecuteCommand: false,
    tags: [
      { key: "team", value: "payments" },
      { key: "environment", value: "production" },
    ],
    overrides: {
      containerOverrides: [
        { name: "main", environment: [{ name: "TRACE_ID", value: hex(`trace-${i}`, 32) }] },
      ],
    },
    startedBy: `ecs-svc/${hex(`service-${i % 50}`, 16)}`,
    cpu: "512",
    memory: "1024",
    platformVersion: "1.4.0",
    networkMode: "awsvpc",
    executionRoleArn: "arn:aws:iam::000000000000:role/ecsTaskExecutionRole",
    id: hex(`task-${i}`, 32),
    reserved: { cpuUnits: 512, memoryMiB: 1024, ports: [], portsUdp: [] },
    version: 4,
    containers: ["main", "envoy"].map((name) => runningContainer(name, i)),
    attachment: {
      id: `${hex(`attachment-${i}`, 8)}-1234-4234-8234-${hex(`attachment-${i}`, 12)}`,
      status: "ATTACHED",
      subnetId: "subnet-0123456789abcdef0",
      networkInterfaceId: `eni-${hex(`interface-${i}`, 17)}`,
      macAddress: "0a:58:0a:00:01:02",
      privateDnsName: `ip-172-31-0-${i % 250}.eu-central-1.compute.internal`,
      privateIpv4Address: `172.31.0.${i % 250}`,
    },
    createdAt,
    connectivityAt: createdAt + 20,
    pullStartedAt: createdAt + 30,
    pullStoppedAt: createdAt + 1030,
    startedAt: createdAt + 1200,
  };
}

function runningContainer(name: string, i: number): Container {
  const seed = `${name}-${i}`;
  return {
    name,
    uuid: `${hex(seed, 8)}-1234-4234-8234-${hex(seed, 12)}`,
    image: `000000000000.dkr.ecr.eu-central-1.amazonaws.com/team/${name}:2026-02-${i % 28}`,
    imageDigest: `sha256:${hex(name, 64)}`,
    runtimeId: hex(seed, 32),
    essential: name === "main",
    lastStatus: "RUNNING",
    networkBindings: [],
    cpu: "256",
    memory: "512",
  };
}

function stopped(task: Task): Task {
  const stoppedAt = task.createdAt + 600_000;
  const { lastStatus: _, ...rest } = task;
  // In the order of ecs/model/advance.
  return {
    stoppedAt,
    lastStatus: "STOPPED",
    ...rest,
    desiredStatus: "STOPPED",
    version: 6,
    containers: task.containers.map((one) => ({ ...one, lastStatus: "STOPPED", exitCode: 0 })),
    stopCode: "EssentialContainerExited",
    stoppedReason: "Essential container in task exited",
    stoppingAt: stoppedAt,
    executionStoppedAt: stoppedAt,
  };
}

function taskDefinition(i: number): Document {
  const family = `web-${i % 50}`;
  const containerDefinitions = ["main", "envoy"].map((name) => ({
    name,
    image: `000000000000.dkr.ecr.eu-central-1.amazonaws.com/team/${name}:2026-02-${i % 28}`,
    environment: Array.from({ length: 10 }, (_, n) => ({
      name: `SETTING_${n}`,
      value: hex(`${n}`, 32),
    })),
    portMappings: [{ containerPort: 8080, protocol: "tcp" }],
  }));
  return {
    key: taskDefinitionKey(SCOPE, family, i),
    value: { ...SCOPE, family, revision: i, document: { family, containerDefinitions } },
  };
}

function instance(i: number): Document {
  const id = hex(`instance-${i}`, 32);
  return {
    key: instanceKey({ ...SCOPE, accountId: FLEET_ACCOUNT_ID }, FLEET_CLUSTER, id),
    value: {
      ...SCOPE,
      accountId: FLEET_ACCOUNT_ID,
      clusterName: FLEET_CLUSTER,
      id,
      ec2InstanceId: hostId(i),
      status: "ACTIVE",
      agentConnected: false,
      // In the order of ecs/operations/agent-registration.
      registration: { clientToken: hex(`token-${i}`, 32), signedAt: 1_770_000_000_000 },
      attributes: Array.from({ length: 20 }, (_, n) => ({ name: `ecs.capability.feature-${n}` })),
    },
  };
}

function hostId(i: number): string {
  return `i-${hex(`host-${i}`, 17)}`;
}

/** `length` hex digits that look random and are the same in every run. */
function hex(seed: string, length: number): string {
  return createHash("sha256").update(seed).digest("hex").slice(0, length);
}

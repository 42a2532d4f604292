/**
 * What amazon-ecs-agent 1.105 reads of a message (`ecs-agent/acs/model/ecsacs`): members, and the types that its decoder insists
 * on. A member of another type makes it drop the whole message; one that it does not know it ignores, so whatever is sent in
 * vain is a mistake here too, but for what is listed as Gantry's own.
 */
import assert from "node:assert/strict";
import { checkTask } from "./ecs-agent-task.ts";

type Type =
  | "string"
  | "integer"
  | "double"
  | "boolean"
  | { readonly map: Type }
  | readonly [Type]
  | Struct;

/** A name that ends in `!` is required: the agent refuses, or falls over, without it. */
export interface Struct {
  readonly [member: string]: Type;
}

const CREDENTIALS: Struct = {
  "credentialsId!": "string",
  "roleArn!": "string",
  "accessKeyId!": "string",
  "secretAccessKey!": "string",
  "sessionToken!": "string",
  "expiration!": "string",
};

const NETWORK_INTERFACE: Struct = {
  "attachmentArn!": "string",
  "ec2Id!": "string",
  "macAddress!": "string",
  index: "integer",
  name: "string",
  "ipv4Addresses!": [{ "privateAddress!": "string", "primary!": "boolean" }],
  ipv6Addresses: [{ "address!": "string", "primary!": "boolean" }],
  "subnetGatewayIpv4Address!": "string",
  domainName: ["string"],
  domainNameServers: ["string"],
  privateDnsName: "string",
  interfaceAssociationProtocol: "string",
};

const CONTAINER: Struct = {
  "name!": "string",
  "image!": "string",
  containerArn: "string",
  cpu: "integer",
  memory: "integer",
  essential: "boolean",
  command: ["string"],
  entryPoint: ["string"],
  environment: { map: "string" },
  environmentFiles: [{ "value!": "string", "type!": "string" }],
  overrides: "string",
  portMappings: [
    {
      containerPort: "integer",
      containerPortRange: "string",
      hostPort: "integer",
      protocol: "string",
    },
  ],
  mountPoints: [{ "sourceVolume!": "string", "containerPath!": "string", readOnly: "boolean" }],
  volumesFrom: [{ "sourceContainer!": "string", readOnly: "boolean" }],
  links: ["string"],
  dependsOn: [{ "containerName!": "string", "condition!": "string" }],
  startTimeout: "integer",
  stopTimeout: "integer",
  healthCheckType: "string",
  "dockerConfig!": { version: "string", config: "string", hostConfig: "string" },
  logsAuthStrategy: "string",
  secrets: [
    {
      "name!": "string",
      "valueFrom!": "string",
      "region!": "string",
      "provider!": "string",
      "type!": "string",
      "target!": "string",
    },
  ],
  registryAuthentication: {
    "type!": "string",
    asmAuthData: { "credentialsParameter!": "string", "region!": "string" },
    ecrAuthData: {
      "registryId!": "string",
      "region!": "string",
      endpointOverride: "string",
      useExecutionRole: "boolean",
    },
  },
  credentialSpecs: ["string"],
  firelensConfiguration: { "type!": "string", options: { map: "string" } },
  restartPolicy: {
    "enabled!": "boolean",
    ignoredExitCodes: ["integer"],
    restartAttemptPeriod: "integer",
  },
};

const VOLUME: Struct = {
  "name!": "string",
  type: "string",
  host: { "sourcePath!": "string" },
  dockerVolumeConfiguration: {
    scope: "string",
    autoprovision: "boolean",
    driver: "string",
    driverOpts: { map: "string" },
    labels: { map: "string" },
  },
  efsVolumeConfiguration: {
    "fileSystemId!": "string",
    rootDirectory: "string",
    transitEncryption: "string",
    transitEncryptionPort: "integer",
    authorizationConfig: { accessPointId: "string", iam: "string" },
  },
};

const TASK: Struct = {
  "arn!": "string",
  taskClusterArn: "string",
  "family!": "string",
  "version!": "string",
  group: "string",
  serviceName: "string",
  "desiredStatus!": "string",
  overrides: "string",
  cpu: "double",
  memory: "integer",
  networkMode: "string",
  pidMode: "string",
  ipcMode: "string",
  launchType: "string",
  "containers!": [CONTAINER],
  volumes: [VOLUME],
  roleCredentials: CREDENTIALS,
  executionRoleCredentials: CREDENTIALS,
  elasticNetworkInterfaces: [NETWORK_INTERFACE],
  attachments: [
    {
      attachmentArn: "string",
      "attachmentType!": "string",
      "attachmentProperties!": [{ "name!": "string", "value!": "string" }],
    },
  ],
  associations: [
    {
      "name!": "string",
      "type!": "string",
      "containers!": ["string"],
      "content!": { "encoding!": "string", "value!": "string" },
    },
  ],
  enableFaultInjection: "boolean",
  proxyConfiguration: {
    "type!": "string",
    "containerName!": "string",
    "properties!": { map: "string" },
  },
  // Gantry's own: this agent does not read it.
  ephemeralStorage: { "sizeInGiB!": "integer" },
};

const TASK_IDENTIFIER: Struct = {
  "taskArn!": "string",
  "taskClusterArn!": "string",
  "desiredStatus!": "string",
};

/** What the server may send: the agent logs and drops any other type. */
export const SERVER_MESSAGES: Readonly<Record<string, Struct>> = {
  HeartbeatMessage: { "messageId!": "string", healthy: "boolean" },
  PayloadMessage: {
    "clusterArn!": "string",
    "containerInstanceArn!": "string",
    "messageId!": "string",
    "seqNum!": "integer",
    generatedAt: "integer",
    "tasks!": [TASK],
  },
  IAMRoleCredentialsMessage: {
    "messageId!": "string",
    "taskArn!": "string",
    taskClusterArn: "string",
    "roleType!": "string",
    "roleCredentials!": CREDENTIALS,
  },
  TaskManifestMessage: {
    "messageId!": "string",
    "clusterArn!": "string",
    "containerInstanceArn!": "string",
    generatedAt: "integer",
    "timeline!": "integer",
    "tasks!": [TASK_IDENTIFIER],
  },
  TaskStopVerificationAck: {
    "messageId!": "string",
    generatedAt: "integer",
    "stopTasks!": [TASK_IDENTIFIER],
  },
};

/** Checks a message as the agent's decoder does. Throws AssertionError naming the member that is not as it must be. */
export function checkServerMessage(type: string, message: unknown): void {
  const model = SERVER_MESSAGES[type];
  assert.ok(model, `the agent drops ${type}, which it does not know`);
  checkStruct(model, message, type);
  if (type !== "PayloadMessage") return;
  const { seqNum, tasks } = message as {
    seqNum: number;
    tasks: Readonly<Record<string, unknown>>[];
  };
  assert.ok(seqNum < 2 ** 31, "the agent reads 32 bits of seqNum");
  assert.ok(tasks.length > 0, "the agent takes no payload without a task");
  for (const [index, task] of tasks.entries()) checkTask(task, `tasks[${index}]`);
}

function checkStruct(model: Struct, value: unknown, path: string): void {
  assert.ok(
    typeof value === "object" && value !== null && !Array.isArray(value),
    `${path} is no object`,
  );
  const members = new Map(Object.entries(value));
  for (const [key, type] of Object.entries(model)) {
    const name = key.replace(/!$/, "");
    const member = members.get(name);
    members.delete(name);
    if (member === undefined) assert.ok(!key.endsWith("!"), `${path}.${name} is missing`);
    else check(type, member, `${path}.${name}`);
  }
  assert.deepEqual([...members.keys()], [], `${path} has members that the agent does not read`);
}

function check(type: Type, value: unknown, path: string): void {
  if (type === "integer") assert.ok(Number.isSafeInteger(value), `${path} is no integer`);
  else if (type === "double") assert.ok(Number.isFinite(value), `${path} is no number`);
  else if (typeof type === "string") assert.equal(typeof value, type, path);
  else if (isList(type)) {
    assert.ok(Array.isArray(value), `${path} is no list`);
    for (const [index, item] of value.entries()) check(type[0], item, `${path}[${index}]`);
  } else if (isMap(type)) {
    for (const [key, item] of Object.entries(value as object)) {
      check(type.map, item, `${path}.${key}`);
    }
  } else checkStruct(type, value, path);
}

function isList(type: Exclude<Type, string>): type is readonly [Type] {
  return Array.isArray(type);
}

function isMap(type: Exclude<Type, string | readonly [Type]>): type is { readonly map: Type } {
  return "map" in type;
}

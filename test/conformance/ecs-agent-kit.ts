/** The unmodified amazon-ecs-agent 1.105 as the server sees it: its requests and frames, member for member. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { WebSocket } from "ws";
import type { Credentials } from "../../src/lib/sigv4.ts";
import { ROOT_KEY, type TestDoor } from "../door-kit.ts";
import { checkServerMessage } from "./ecs-agent-model.ts";
import { callApi, encodeQuery, signedHandshake, telemetryFrame } from "./ecs-agent-wire.ts";

type Json = Readonly<Record<string, unknown>>;

export interface Frame {
  readonly type: string;
  readonly message: Json;
}

export interface AgentTelemetry {
  publish(type: string, message: object): Promise<string>;
  close(): void;
}

const DOCKER_APIS = [
  ...Array.from({ length: 9 }, (_, index) => `1.${17 + index}`),
  ...["1.28", "1.29", "1.30", "1.32"],
];

/** What an external agent sends: 52 attributes (`ecs-agent-protocol` §1.6). */
const EXTERNAL_ATTRIBUTES: readonly Json[] = [
  { name: "ecs.os-type", value: "linux" },
  { name: "ecs.os-family", value: "LINUX" },
  { name: "ecs.os-type-detailed", value: "LINUX" },
  { name: "ecs.cpu-architecture", value: "x86_64" },
  ...[
    "privileged-container",
    ...DOCKER_APIS.map((version) => `docker-remote-api.${version}`),
    ...["json-file", "awslogs", "none", "awsfirelens"].map((driver) => `logging-driver.${driver}`),
    ...["ecr-auth", "task-iam-role", "task-iam-role-network-host"],
  ].map((name) => ({ name: `com.amazonaws.ecs.capability.${name}` })),
  ...[
    "private-registry-authentication.secretsmanager",
    "secrets.ssm.environment-variables",
    "secrets.ssm.bootstrap.log-driver",
    "secrets.asm.environment-variables",
    "secrets.asm.bootstrap.log-driver",
    "ecr-endpoint",
    "container-ordering",
    "full-sync",
    "env-files.s3",
    "network.container-port-range",
    "container-restart-policy",
    "execution-role-ecr-pull",
    "container-health-check",
    "docker-plugin.local",
    "firelens.fluentd",
    "firelens.fluentbit",
    "firelens.non-root-user",
    "firelens.options.config.file",
    "firelens.options.config.s3",
    "logging-driver.awsfirelens.log-driver-buffer-limit",
    "efs",
    "storage.s3-files",
    "ipv6-only",
    "task-cpu-mem-limit",
    "increased-task-cpu-limit",
    "pid-ipc-namespace-sharing",
    "external",
  ].map((name) => ({ name: `ecs.capability.${name}` })),
];

/** With ECS_ENABLE_TASK_ENI and an instance metadata service, whose document says what an external agent says itself. */
const TASK_ENI_ATTRIBUTES: readonly Json[] = [
  ...EXTERNAL_ATTRIBUTES.filter(
    ({ name }) => name !== "ecs.capability.external" && name !== "ecs.cpu-architecture",
  ),
  { name: "ecs.vpc-id", value: "vpc-1" },
  { name: "ecs.subnet-id", value: "subnet-1" },
  { name: "ecs.capability.task-eni" },
  { name: "ecs.capability.task-eni.ipv6" },
  { name: "ecs.capability.cni-plugin-version", value: "-" },
  { name: "ecs.capability.task-eni-block-instance-metadata" },
];

const EXECUTION_ROLE_LOGS: Json = { name: "ecs.capability.execution-role-awslogs" };

/** `agent/app/agent_capability.go`: of GPUs it names the driver, and nothing else. */
const GPU_ATTRIBUTES: readonly Json[] = [
  { name: "ecs.capability.nvidia-driver-version.535.104" },
  { name: "ecs.capability.gpu-driver-version", value: "535.104" },
];

/** What the agent is told of its server. */
export interface AgentDoor {
  readonly url: string;
  readonly credentials: Credentials;
}

/** The door of a test, with the root key. */
export function agentDoor(door: TestDoor): AgentDoor {
  return { url: door.url, credentials: ROOT_KEY };
}

export interface EcsAgentOptions {
  /** It is not external and runs with ECS_ENABLE_TASK_ENI. */
  readonly hasTaskEni?: boolean;
  /** It runs with ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE. */
  readonly hasExecutionRoleLogs?: boolean;
  /** Of the GPUs that it offers (ECS_ENABLE_GPU_SUPPORT). */
  readonly gpuIds?: readonly string[];
  /** Default: `lab`. */
  readonly cluster?: string;
  /** What its instance's metadata says, if it has them. */
  readonly identityDocument?: string;
}

export class EcsAgent {
  readonly #door: AgentDoor;
  readonly #hasTaskEni: boolean;
  readonly #attributes: readonly Json[];
  readonly #gpuIds: readonly string[];
  readonly #cluster: string;
  readonly #identityDocument: string;
  arn = "";
  readonly frames: Frame[] = [];
  #socket: WebSocket | undefined;
  #onFrame: () => void = () => undefined;
  #unreadable: Error | undefined;
  #isOpen = false;

  constructor(door: AgentDoor, options: EcsAgentOptions = {}) {
    this.#door = door;
    this.#hasTaskEni = options.hasTaskEni ?? false;
    this.#attributes = [
      ...(this.#hasTaskEni ? TASK_ENI_ATTRIBUTES : EXTERNAL_ATTRIBUTES),
      ...(options.hasExecutionRoleLogs === true ? [EXECUTION_ROLE_LOGS] : []),
      ...(options.gpuIds === undefined ? [] : GPU_ATTRIBUTES),
    ];
    this.#gpuIds = options.gpuIds ?? [];
    this.#cluster = options.cluster ?? "lab";
    this.#identityDocument =
      options.identityDocument ?? (this.#hasTaskEni ? IDENTITY_DOCUMENT : "");
  }

  /** With the ARN that its data directory holds, if it has one. Throws when the answer is one the agent ends upon. */
  async register(): Promise<Json> {
    const sent = this.#attributes;
    const answer = await this.call("RegisterContainerInstance", {
      cluster: this.#cluster,
      clientToken: crypto.randomUUID(),
      ...(this.arn !== "" && { containerInstanceArn: this.arn }),
      instanceIdentityDocument: this.#identityDocument,
      instanceIdentityDocumentSignature: this.#hasTaskEni ? "c2lnbmF0dXJl" : "",
      totalResources: [
        { name: "CPU", type: "INTEGER", integerValue: 2048 },
        { name: "MEMORY", type: "INTEGER", integerValue: 3911 },
        {
          name: "PORTS",
          type: "STRINGSET",
          stringSetValue: ["22", "2375", "2376", "51678", "51679"],
        },
        { name: "PORTS_UDP", type: "STRINGSET", stringSetValue: [] },
      ],
      attributes: sent,
      ...(this.#gpuIds.length > 0 && {
        platformDevices: this.#gpuIds.map((id) => ({ id, type: "GPU" })),
      }),
    });
    const instance = answer.containerInstance as Json;
    this.arn = String(instance.containerInstanceArn);
    const echoed = instance.attributes as readonly Json[];
    for (const { name, value } of sent) {
      if (value === undefined) continue;
      assert.ok(
        echoed.some((one) => one.name === name && one.value === value),
        `the agent ends for good: ${name} is not echoed`,
      );
    }
    return instance;
  }

  call(operation: string, input: object): Promise<Json> {
    const { credentials, url } = this.#door;
    return callApi(url, credentials, operation, input) as Promise<Json>;
  }

  /** Where `DiscoverPollEndpoint` sends it, as a path of the door. */
  async discover(): Promise<{ readonly acs: string; readonly tcs: string }> {
    const { endpoint, telemetryEndpoint } = await this.call("DiscoverPollEndpoint", {
      cluster: this.#cluster,
      containerInstance: this.arn,
      zoneId: "",
    });
    const pathOf = (url: unknown): string => {
      const { origin, pathname } = new URL(String(url));
      assert.equal(origin, this.#door.url);
      return `${pathname.replace(/\/$/, "")}/ws`;
    };
    return { acs: pathOf(endpoint), tcs: pathOf(telemetryEndpoint) };
  }

  /** The ACS websocket, with the query of §2.1. Rejects with the status and body of a refusal. */
  async connect(options: { readonly sendCredentials: boolean }): Promise<void> {
    const { acs } = await this.discover();
    const query = encodeQuery({
      agentHash: "a8b3e7d3",
      agentVersion: "1.105.1",
      clusterArn: this.#cluster,
      containerInstanceArn: this.arn,
      dockerVersion: "DockerVersion: 20.10.24+dfsg1",
      protocolVersion: "2",
      sendCredentials: String(options.sendCredentials),
      seqNum: "1",
    });
    this.frames.length = 0;
    const socket = await this.#open(`${acs}?${query}`, (text) => this.#read(text));
    this.#socket = socket;
    this.#isOpen = true;
    socket.once("close", () => {
      if (this.#socket === socket) this.#isOpen = false;
      this.#onFrame();
    });
  }

  /** As the agent's decoder does; what that would drop fails whoever waits for a frame. */
  #read(text: string): void {
    const frame = JSON.parse(text) as Frame;
    try {
      checkServerMessage(frame.type, frame.message);
      this.frames.push(frame);
    } catch (error) {
      this.#unreadable ??= error as Error;
    }
    this.#onFrame();
  }

  /** The TCS websocket. `publish` sends a frame and returns the type of what acknowledges it. */
  async connectTcs(): Promise<AgentTelemetry> {
    const { tcs } = await this.discover();
    const query = encodeQuery({
      agentHash: "a8b3e7d3",
      agentVersion: "1.105.1",
      cluster: this.#cluster,
      containerInstance: this.arn,
      dockerVersion: "20.10.24+dfsg1",
    });
    const path = `${tcs}?${query}`;
    const { credentials, url: origin } = this.#door;
    const { url } = signedHandshake(origin, path, credentials);
    let onAnswer: (text: string) => void = () => undefined;
    const socket = await this.#open(path, (text) => {
      if (JSON.parse(text).type !== "HeartbeatMessage") onAnswer(text);
    });
    return {
      publish: async (type, message) => {
        const { promise, resolve } = Promise.withResolvers<string>();
        onAnswer = resolve;
        socket.send(telemetryFrame(url, { type, message }, credentials));
        return JSON.parse(await promise).type;
      },
      close: () => socket.close(),
    };
  }

  async #open(path: string, onText: (text: string) => void): Promise<WebSocket> {
    const { credentials, url: origin } = this.#door;
    const { url, headers } = signedHandshake(origin, path, credentials);
    const socket = new WebSocket(url, { headers });
    // From the start: the first frames may come with the answer to the handshake.
    socket.on("message", (data, isBinary) => {
      assert.equal(isBinary, false);
      onText(String(data));
    });
    const refused = once(socket, "unexpected-response").then(async ([, response]) => {
      let body = "";
      for await (const chunk of response as AsyncIterable<Buffer>) body += String(chunk);
      throw new Error(`${(response as { statusCode: number }).statusCode} ${body}`);
    });
    refused.catch(() => undefined);
    socket.on("error", () => undefined);
    await Promise.race([once(socket, "open"), refused]);
    return socket;
  }

  /** The next frame of a type that `isIt` is true of, of those that came or will come on this connection. */
  async frame(type: string, isIt: (message: Json) => boolean = () => true): Promise<Json> {
    for (;;) {
      if (this.#unreadable) throw this.#unreadable;
      const found = this.frames.find((frame) => frame.type === type && isIt(frame.message));
      if (found) return found.message;
      await new Promise<void>((resolve) => {
        this.#onFrame = resolve;
      });
    }
  }

  /** The next frame, of any type; undefined when the connection has ended. */
  async take(): Promise<Frame | undefined> {
    for (;;) {
      if (this.#unreadable) throw this.#unreadable;
      const frame = this.frames.shift();
      if (frame !== undefined || !this.#isOpen) return frame;
      await new Promise<void>((resolve) => {
        this.#onFrame = resolve;
      });
    }
  }

  say(type: string, message: Json): void {
    this.#socket?.send(JSON.stringify({ type, message }));
  }

  acknowledge(message: Json): void {
    const { clusterArn, containerInstanceArn, messageId } = message;
    this.say("AckRequest", {
      cluster: clusterArn,
      containerInstance: containerInstanceArn,
      messageId,
    });
  }

  async submit(task: string, change: Json): Promise<void> {
    await this.call("SubmitTaskStateChange", {
      cluster: this.#cluster,
      task,
      reason: "",
      ...change,
    });
  }

  async disconnect(): Promise<void> {
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = undefined;
    socket.close(1000);
    if (socket.readyState !== WebSocket.CLOSED) await once(socket, "close");
  }
}

const IDENTITY_DOCUMENT = JSON.stringify({
  accountId: "000000000000",
  region: "us-east-1",
  instanceId: "i-0123456789abcdef0",
  instanceType: "m5.large",
  availabilityZone: "us-east-1a",
  privateIp: "10.0.0.5",
  architecture: "x86_64",
  imageId: "ami-0123456789abcdef0",
});

import type { Clock } from "../../lib/clock.ts";
import { ApiError, UnavailableError } from "../../lib/errors.ts";
import type { MessageSocket } from "../../lib/message-socket.ts";
import type { AgentMessage, PayloadTask, ServerMessage } from "../../protocol/acs.ts";
import { bodyOfFrame, type TelemetryMessage } from "../../protocol/tcs.ts";
import type { ApiFactory, Credentials, Dial } from "../agent-deps.ts";
import type { LogEvent } from "../log-batch.ts";
import type { TaskStateChange } from "../task-report.ts";
import { socketPair } from "./socket-pair.fixture.ts";

export const CLUSTER_ARN = "arn:aws:ecs:eu-west-1:123456789012:cluster/default";
export const INSTANCE_ARN =
  "arn:aws:ecs:eu-west-1:123456789012:container-instance/default/0123456789abcdef0123456789abcdef";

const HEARTBEAT_MS = 30_000;

interface ApiCall {
  readonly operation: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly credentials: Credentials;
}

/** The server's side of the agent protocol, in memory: what a test says goes out, what came in can be read. */
export class FakeServer {
  readonly calls: ApiCall[] = [];
  /** Acknowledged state changes, in order. */
  readonly reports: TaskStateChange[] = [];
  /** What came in on websockets. */
  readonly received: AgentMessage[] = [];
  readonly dialled: string[] = [];
  /** Frames of the telemetry connection. */
  readonly telemetryFrames: string[] = [];
  readonly telemetryDialled: string[] = [];
  telemetrySocket: MessageSocket | undefined;
  /** Events by `group/stream`; a stream exists when it has an entry, a group when it is in `groups`. */
  readonly streams: Map<string, LogEvent[]> = new Map();
  readonly groups: Set<string> = new Set();
  /** By ARN. */
  readonly tags: Map<string, readonly { key: string; value: string }[]> = new Map();
  /** What is answered of task protection. */
  protection: unknown;
  readonly clusters: Set<string> = new Set(["default"]);
  /** Answers to throw instead, for as long as it returns some. */
  fail: (operation: string) => Error | undefined = () => undefined;
  socket: MessageSocket | undefined;
  /** Whether the server keeps its connections alive. */
  heartbeats = true;
  readonly #clock: Clock;
  #sequenceNumber = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  readonly api: ApiFactory = (_target, credentials) => ({
    call: async (operation, input) => {
      const given = input as Readonly<Record<string, unknown>>;
      const call = { operation, input: given, credentials: credentials() };
      this.calls.push(call);
      await Promise.resolve();
      const failure = this.fail(operation);
      if (failure !== undefined) throw failure;
      return this.#answer(operation, given);
    },
  });

  /** What was published, in order. */
  get telemetry(): readonly TelemetryMessage[] {
    return this.telemetryFrames.map((frame) => JSON.parse(bodyOfFrame(frame)) as TelemetryMessage);
  }

  readonly dial: Dial = async (url) => {
    if (new URL(url).pathname.startsWith("/tcs")) return this.#acceptTelemetry(url);
    this.dialled.push(url);
    const failure = this.fail("dial");
    if (failure !== undefined) throw failure;
    const [theirs, ours] = socketPair();
    ours.onMessage((text) => this.received.push(JSON.parse(text) as AgentMessage));
    ours.onClose(() => {
      if (this.socket === ours) this.socket = undefined;
    });
    this.socket = ours;
    void this.#beat(ours, () => this.socket === ours);
    return theirs;
  };

  #acceptTelemetry(url: string): MessageSocket {
    this.telemetryDialled.push(url);
    const failure = this.fail("dial telemetry");
    if (failure !== undefined) throw failure;
    const [theirs, ours] = socketPair();
    ours.onMessage((text) => this.telemetryFrames.push(text));
    ours.onClose(() => {
      if (this.telemetrySocket === ours) this.telemetrySocket = undefined;
    });
    this.telemetrySocket = ours;
    void this.#beat(ours, () => this.telemetrySocket === ours);
    return theirs;
  }

  /** Sends one message to the connected agent. */
  send(message: ServerMessage): void {
    if (this.socket === undefined) throw new UnavailableError("no agent is connected");
    this.socket.send(JSON.stringify(message));
  }

  /** Sends a payload of these tasks; returns its message id. */
  assign(...tasks: readonly PayloadTask[]): string {
    this.#sequenceNumber++;
    const messageId = `payload-${this.#sequenceNumber}`;
    const message = { ...this.#envelope(messageId), seqNum: this.#sequenceNumber, tasks };
    this.send({ type: "PayloadMessage", message });
    return messageId;
  }

  /** Sends the list of everything that should be there. */
  sendManifest(taskArns: readonly string[], timeline?: number): void {
    this.#sequenceNumber++;
    const tasks = taskArns.map((taskArn) => ({
      taskArn,
      taskClusterArn: CLUSTER_ARN,
      desiredStatus: "RUNNING" as const,
    }));
    const envelope = this.#envelope(`manifest-${this.#sequenceNumber}`);
    const message = { ...envelope, timeline: timeline ?? this.#sequenceNumber, tasks };
    this.send({ type: "TaskManifestMessage", message });
  }

  /** Whether a message has been acknowledged. */
  acknowledged(messageId: string): boolean {
    return this.received.some(
      (answer) => answer.type === "AckRequest" && answer.message.messageId === messageId,
    );
  }

  /** Acknowledged reports on one task, newest last. */
  reportsOf(taskArn: string): readonly TaskStateChange[] {
    return this.reports.filter(({ task }) => task === taskArn);
  }

  messages(stream: string): readonly string[] {
    return (this.streams.get(stream) ?? []).map(({ message }) => message);
  }

  async #beat(socket: MessageSocket, isOpen: () => boolean): Promise<void> {
    const beat = { type: "HeartbeatMessage", message: { healthy: true, messageId: "beat" } };
    while (this.heartbeats && isOpen()) {
      socket.send(JSON.stringify(beat));
      await this.#clock.sleep(HEARTBEAT_MS);
    }
  }

  #envelope(messageId: string): {
    messageId: string;
    clusterArn: string;
    containerInstanceArn: string;
    generatedAt: number;
  } {
    return {
      messageId,
      clusterArn: CLUSTER_ARN,
      containerInstanceArn: INSTANCE_ARN,
      generatedAt: 0,
    };
  }

  #answer(operation: string, input: Readonly<Record<string, unknown>>): unknown {
    const group = String(input.logGroupName);
    const stream = `${group}/${String(input.logStreamName)}`;
    switch (operation) {
      case "RegisterContainerInstance":
        if (!this.clusters.has(String(input.cluster))) {
          throw new ApiError("ClusterNotFoundException", "Cluster not found.");
        }
        return {
          containerInstance: {
            containerInstanceArn: INSTANCE_ARN,
            attributes: input.attributes,
          },
        };
      case "CreateCluster":
        this.clusters.add(String(input.clusterName));
        return { cluster: { clusterName: input.clusterName } };
      case "DiscoverPollEndpoint":
        return { endpoint: "http://server:4566/acs", telemetryEndpoint: "http://server:4566/tcs" };
      case "SubmitTaskStateChange":
        this.reports.push(input as unknown as TaskStateChange);
        return { acknowledgment: "ok" };
      case "ListTagsForResource":
        return { tags: this.tags.get(String(input.resourceArn)) ?? [] };
      case "GetTaskProtection":
      case "UpdateTaskProtection":
        return this.protection;
      case "CreateLogGroup":
        this.groups.add(group);
        return {};
      case "CreateLogStream":
        if (!this.groups.has(group)) throw groupNotFound();
        if (this.streams.has(stream)) {
          throw new ApiError("ResourceAlreadyExistsException", "The stream already exists");
        }
        this.streams.set(stream, []);
        return {};
      case "PutLogEvents": {
        const events = this.streams.get(stream);
        if (events === undefined) throw groupNotFound();
        events.push(...(input.logEvents as LogEvent[]));
        return {};
      }
      default:
        throw new ApiError("NotImplemented", operation);
    }
  }
}

function groupNotFound(): ApiError {
  return new ApiError("ResourceNotFoundException", "The specified log group does not exist.");
}

/** One agent's telemetry connection (TCS): heartbeats, and what it publishes, taken for what its instance may say. */
import type { Clock } from "../../lib/clock.ts";
import type { MessageSocket } from "../../lib/message-socket.ts";
import { TELEMETRY_MESSAGE_BYTES_MAX, type TelemetryMessage } from "../../protocol/tcs.ts";
import { instanceArn } from "../model/arn.ts";
import type { Instance } from "../model/instance.ts";
import { HEARTBEAT_MS } from "./heartbeat.ts";
import { parseFrame } from "./tcs-frame.ts";

/** A reader that leaves more than this lying is not reading. */
const BUFFERED_BYTES_MAX = 2 ** 20;
/** The agent's own limit for the JSON, and room for its headers. */
const FRAME_LENGTH_MAX = TELEMETRY_MESSAGE_BYTES_MAX + 16 * 1024;
/** Chosen: an agent with 1,000 tasks that publishes every second sends 200 messages a second. */
const MESSAGES_PER_SECOND_MAX = 500;

/** How what the agent publishes is acknowledged (`ecs-agent-protocol` §4). */
const ACKNOWLEDGEMENT = {
  PublishMetricsRequest: "AckPublishMetric",
  PublishHealthRequest: "AckPublishHealth",
  PublishInstanceStatusRequest: "AckPublishInstanceStatus",
} as const satisfies Record<TelemetryMessage["type"], string>;

export interface TcsSessionOptions {
  readonly clock: Clock;
  readonly socket: MessageSocket;
  readonly instance: Instance;
  /** Told of each message that is the instance's own. */
  readonly take: (message: TelemetryMessage) => void;
}

export class TcsSession {
  readonly #clock: Clock;
  readonly #socket: MessageSocket;
  readonly #instanceArn: string;
  readonly #take: (message: TelemetryMessage) => void;
  readonly #closed = new AbortController();
  #second = { startedAt: 0, messageCount: 0 };

  /** Must be called in the tick in which the socket was received. */
  constructor({ clock, instance, socket, take }: TcsSessionOptions) {
    this.#clock = clock;
    this.#socket = socket;
    this.#instanceArn = instanceArn(instance, instance.clusterName, instance.id);
    this.#take = take;
    socket.onMessage((frame) => this.#receive(frame));
    socket.onClose(() => this.#closed.abort());
  }

  close(code: number, reason: string): void {
    this.#closed.abort();
    this.#socket.close(code, reason);
  }

  /** Serves the connection until it is closed, by either side or by `signal`. */
  async run(signal: AbortSignal): Promise<void> {
    const over = AbortSignal.any([signal, this.#closed.signal]);
    while (!over.aborted) {
      this.#send("HeartbeatMessage", { healthy: true });
      await this.#clock.sleep(HEARTBEAT_MS, over);
    }
    this.#socket.close(1001, "the server is stopping");
  }

  #receive(frame: string): void {
    // What still comes in on a connection whose place another has taken is old.
    if (this.#closed.signal.aborted) return;
    if (frame.length > FRAME_LENGTH_MAX) this.close(1009, "the message is too long");
    else if (this.#isFlood()) this.close(1008, "too many messages");
    else this.#answer(frame);
  }

  #answer(frame: string): void {
    const parsed = parseFrame(frame);
    if ("wrong" in parsed) this.#send("BadRequestException", { message: parsed.wrong });
    if (!("message" in parsed)) return;
    const { message } = parsed;
    if (message.message.metadata.containerInstance !== this.#instanceArn) {
      const text = "the container instance is not the one of this connection";
      this.#send("InvalidParameterException", { message: text });
      return;
    }
    this.#take(message);
    this.#send(ACKNOWLEDGEMENT[message.type], { message: "OK" });
  }

  #isFlood(): boolean {
    const now = this.#clock.now();
    if (Math.abs(now - this.#second.startedAt) >= 1000) {
      this.#second = { startedAt: now, messageCount: 0 };
    }
    this.#second.messageCount++;
    return this.#second.messageCount > MESSAGES_PER_SECOND_MAX;
  }

  #send(type: string, message: object): void {
    if (this.#closed.signal.aborted) return;
    if (this.#socket.bufferedBytes > BUFFERED_BYTES_MAX) {
      this.close(1001, "the agent reads too slowly");
    } else this.#socket.send(JSON.stringify({ type, message }));
  }
}

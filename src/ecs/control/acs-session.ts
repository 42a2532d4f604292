/**
 * One agent's ACS connection: heartbeats, what comes in, and a loop that lets {@link TaskDelivery} tell what is to be
 * told. Only the loop does what takes time; incoming messages leave a note for it and wake it.
 */
import { messageOf } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { MessageSocket } from "../../lib/message-socket.ts";
import type { AgentMessage, ServerMessage } from "../../protocol/acs.ts";
import type { Instance } from "../model/instance.ts";
import { Alarm } from "./alarm.ts";
import type { DeliveryLedger } from "./delivery-ledger.ts";
import { Heartbeat } from "./heartbeat.ts";
import { type StopVerification, TaskDelivery, type TaskDeliveryDeps } from "./task-delivery.ts";

/** After a round that failed: the store or the minter may be back. */
const RETRY_MS = 1_000;
/** A reader that leaves more than this lying is not reading. */
const BUFFERED_BYTES_MAX = 8 * 2 ** 20;
const MESSAGE_LENGTH_MAX = 2 ** 20;

export interface AcsSessionOptions {
  /** The instance's key in the store. */
  readonly key: string;
  readonly instance: Instance;
  readonly ledger: DeliveryLedger;
  readonly socket: MessageSocket;
  /** The agent's process is new: it has no credentials and may have forgotten tasks. */
  readonly isNewProcess: boolean;
  /** See {@link PayloadSource}. */
  readonly door?: string;
}

export class AcsSession {
  readonly #deps: TaskDeliveryDeps;
  readonly #log: Log;
  readonly #socket: MessageSocket;
  readonly #delivery: TaskDelivery;
  #verification: StopVerification | undefined;
  #isClosed = false;
  readonly #alarm: Alarm;
  readonly #heartbeat: Heartbeat;

  /** Must be called in the tick in which the socket was received. */
  constructor(deps: TaskDeliveryDeps, options: AcsSessionOptions) {
    const { key, instance, ledger, socket, isNewProcess, door } = options;
    this.#deps = deps;
    this.#log = deps.log.child(`acs ${instance.id}`);
    this.#socket = socket;
    this.#delivery = new TaskDelivery(deps, {
      key,
      instance,
      ledger,
      isNewProcess,
      ...(door !== undefined && { door }),
      send: (message) => this.#send(message),
    });
    this.#alarm = new Alarm(deps.clock);
    this.#heartbeat = new Heartbeat(deps.clock.now());
    socket.onMessage((text) => this.#receive(text));
    socket.onClose(() => {
      this.#isClosed = true;
      this.wake();
    });
  }

  /** Something about the instance's tasks has changed. */
  wake(): void {
    this.#alarm.ring();
  }

  close(code: number, reason: string): void {
    this.#isClosed = true;
    this.#socket.close(code, reason);
    this.wake();
  }

  /** Serves the connection until it is closed, by either side or by `signal`. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.close(1001, "the server is stopping");
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    try {
      while (!this.#isClosed) {
        this.#beat();
        const isComplete = await this.#round();
        if (this.#isClosed) break;
        const untilHeartbeatMs = this.#heartbeat.untilNextMs(this.#deps.clock.now());
        await this.#alarm.rest(
          isComplete ? untilHeartbeatMs : Math.min(RETRY_MS, untilHeartbeatMs),
        );
      }
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** True when all that can be told has been told. */
  async #round(): Promise<boolean> {
    try {
      const verification = this.#verification;
      if (verification) await this.#delivery.answer(verification);
      if (verification === this.#verification) this.#verification = undefined;
      return (await this.#delivery.round()) === 0;
    } catch (error) {
      this.#log.warn("telling the agent failed, trying again", { error: messageOf(error) });
      return false;
    }
  }

  #beat(): void {
    const now = this.#deps.clock.now();
    if (this.#heartbeat.isLost(now)) {
      this.close(1001, "heartbeats are not acknowledged");
      return;
    }
    if (!this.#heartbeat.takeDue(now)) return;
    const messageId = this.#deps.random.uuid();
    this.#send({ type: "HeartbeatMessage", message: { healthy: true, messageId } });
  }

  #send(message: ServerMessage): void {
    if (this.#isClosed) return;
    if (this.#socket.bufferedBytes > BUFFERED_BYTES_MAX) {
      this.close(1001, "the agent reads too slowly");
      return;
    }
    this.#socket.send(JSON.stringify(message));
  }

  #receive(text: string): void {
    if (text.length > MESSAGE_LENGTH_MAX) {
      this.close(1009, "the message is too long");
      return;
    }
    const message = parseMessage(text);
    switch (message?.type) {
      case "HeartbeatAckRequest":
        this.#heartbeat.answered(this.#deps.clock.now());
        break;
      case "AckRequest":
        if (this.#delivery.acknowledge(message.message.messageId)) this.wake();
        break;
      case "IAMRoleCredentialsAckRequest": {
        const { credentialsId, expiration } = message.message;
        this.#delivery.acknowledgeCredentials(credentialsId, expiration);
        break;
      }
      case "TaskStopVerificationMessage":
        this.#verification = message.message;
        this.wake();
        break;
      case "NackRequest":
        this.#log.warn("the agent refuses a message", { reason: message.message.reason });
        break;
      default:
        // What we do not know is ignored, as the agent does.
        break;
    }
  }
}

/** A message of the agent's, as far as its shape is what we rely on; undefined for any other text. */
function parseMessage(text: string): AgentMessage | undefined {
  try {
    const { type, message } = JSON.parse(text) as AgentMessage;
    if (typeof message !== "object" || message === null) return undefined;
    if (type === "TaskStopVerificationMessage") {
      const stopCandidates = message.stopCandidates.filter(
        (candidate) => typeof candidate.taskArn === "string",
      );
      return { type, message: { ...message, stopCandidates } };
    }
    return { type, message } as AgentMessage;
  } catch {
    // Not what an agent says: as unknown as any other message we do not understand.
    return undefined;
  }
}

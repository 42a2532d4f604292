/** The agent's lasting connection to the server (ACS): dialled, watched over, and dialled again, as the ECS agent does it. */

import { type Backoff, backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { MessageSocket } from "../lib/message-socket.ts";
import type { Random } from "../lib/random.ts";
import type { AgentMessage } from "../protocol/acs.ts";
import type { Dial } from "./agent-deps.ts";
import { attend, dialInTime, type Ending, websocketUrl } from "./connection.ts";

/** All figures are the ECS agent's. */
const RECONNECT_BACKOFF: Backoff = { firstMs: 250, factor: 1.5, maxMs: 120_000 };
const INACTIVE_PAUSE_MS = 3_600_000;
/** Close codes after which it reconnects without a pause: normal, going away, lost, internal error. */
const RECONNECT_AT_ONCE: ReadonlySet<number> = new Set([1000, 1001, 1006, 1011]);
/** The handshake's refusal of an instance that is out of service, and of one that has been so for long. */
const INACTIVE = "InactiveInstanceException";
const UNKNOWN = "InvalidInstanceException";

export interface SessionDeps {
  /** The endpoint that DiscoverPollEndpoint answers. */
  readonly endpoint: (signal: AbortSignal) => Promise<string>;
  readonly dial: Dial;
  /** SigV4 headers for a websocket handshake. */
  readonly sign: (url: URL) => Readonly<Record<string, string>>;
  readonly onConnected: () => void;
  /** Registers the instance again when it is out of service; undefined: it rests. */
  readonly comeBack?: () => Promise<void>;
  readonly handle: (text: string) => readonly AgentMessage[];
  /** Query parameters beside `sendCredentials`, `protocolVersion` and `seqNum`. */
  readonly identity: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Keeps the connection until `signal` aborts. */
export async function runSession(deps: SessionDeps, signal: AbortSignal): Promise<void> {
  const { clock, comeBack, log, random } = deps;
  let failures = 0;
  /** How often in a row the instance was registered again, and was out of service all the same. */
  let returns = 0;
  let sendCredentials = true;
  while (!signal.aborted) {
    let pauseMs: number;
    try {
      const socket = await dial(deps, sendCredentials, signal);
      log.info("connected to the server");
      deps.onConnected();
      sendCredentials = false;
      returns = 0;
      const ending = await serve(deps, socket, signal);
      // A connection that brought nothing is a failure, whatever its code: else a server that closes at once is hammered.
      failures = ending.messageCount > 0 ? 0 : failures + 1;
      if (ending.messageCount > 0 && RECONNECT_AT_ONCE.has(ending.code)) continue;
      pauseMs = backoffMs(RECONNECT_BACKOFF, Math.max(1, failures), random);
    } catch (error) {
      if (signal.aborted) return;
      failures++;
      const refusal = [INACTIVE, UNKNOWN].find((name) => messageOf(error).includes(name));
      if (refusal !== undefined && comeBack !== undefined) {
        await comeBack();
        failures = ++returns;
      }
      const isInactive = refusal === INACTIVE && comeBack === undefined;
      pauseMs = isInactive ? INACTIVE_PAUSE_MS : backoffMs(RECONNECT_BACKOFF, failures, random);
      if (isInactive || failures === 1) {
        log.warn("cannot connect to the server yet", { error: messageOf(error), pauseMs });
      }
    }
    await clock.sleep(pauseMs, signal);
  }
}

async function dial(
  deps: SessionDeps,
  sendCredentials: boolean,
  signal: AbortSignal,
): Promise<MessageSocket> {
  const url = websocketUrl(await deps.endpoint(signal), {
    ...deps.identity,
    protocolVersion: "2",
    seqNum: "1",
    sendCredentials: String(sendCredentials),
  });
  return dialInTime(deps, url, deps.sign(url), signal);
}

/** Answers messages until the connection ends. */
function serve(deps: SessionDeps, socket: MessageSocket, signal: AbortSignal): Promise<Ending> {
  const { handle, log } = deps;
  const onMessage = (text: string): void => {
    try {
      for (const answer of handle(text)) socket.send(JSON.stringify(answer));
    } catch (error) {
      // Not acknowledged: the server sends it again.
      log.error("cannot take a message", { error: messageOf(error) });
    }
  };
  const onClose = (code: number, reason: string): void =>
    log.info("connection to the server closed", { code, reason });
  return attend(deps, socket, { onMessage, onClose }, signal);
}

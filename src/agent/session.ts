/** The agent's lasting connection to the server (ACS): dialled, watched over, and dialled again, as the ECS agent does it. */

import { type Backoff, backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { MessageSocket } from "../lib/message-socket.ts";
import type { Random } from "../lib/random.ts";
import type { AgentMessage } from "../protocol/acs.ts";
import type { Dial } from "./agent-deps.ts";
import { Wake, waitForChange } from "./wake.ts";

/** All figures are the ECS agent's. */
const INACTIVITY_MS_MIN = 60_000;
const INACTIVITY_JITTER_MS = 60_000;
const AGE_MS_MAX = 1_800_000;
const AGE_JITTER_MS = 300_000;
const DIAL_TIMEOUT_MS = 30_000;
const RECONNECT_BACKOFF: Backoff = { firstMs: 250, factor: 1.5, maxMs: 120_000 };
const INACTIVE_PAUSE_MS = 3_600_000;
/** Close codes after which it reconnects without a pause: normal, going away, lost, internal error. */
const RECONNECT_AT_ONCE: ReadonlySet<number> = new Set([1000, 1001, 1006, 1011]);
/** The handshake's refusal of an instance that has been deregistered. */
const INACTIVE = "InactiveInstanceException";

export interface SessionDeps {
  /** The endpoint that DiscoverPollEndpoint answers. */
  readonly endpoint: (signal: AbortSignal) => Promise<string>;
  readonly dial: Dial;
  /** SigV4 headers for a websocket handshake. */
  readonly sign: (url: URL) => Readonly<Record<string, string>>;
  readonly onConnected: () => void;
  readonly handle: (text: string) => readonly AgentMessage[];
  /** Query parameters beside `sendCredentials`, `protocolVersion` and `seqNum`. */
  readonly identity: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** How a connection went: whether it was of use, and how it closed. */
interface Ending {
  readonly messageCount: number;
  readonly code: number;
}

/** Keeps the connection until `signal` aborts. */
export async function runSession(deps: SessionDeps, signal: AbortSignal): Promise<void> {
  const { clock, log, random } = deps;
  let failures = 0;
  let sendCredentials = true;
  while (!signal.aborted) {
    let pauseMs: number;
    try {
      const socket = await dial(deps, sendCredentials, signal);
      log.info("connected to the server");
      deps.onConnected();
      sendCredentials = false;
      const ending = await serve(deps, socket, signal);
      // A connection that brought nothing is a failure, whatever its code: else a server that closes at once is hammered.
      failures = ending.messageCount > 0 ? 0 : failures + 1;
      if (ending.messageCount > 0 && RECONNECT_AT_ONCE.has(ending.code)) continue;
      pauseMs = backoffMs(RECONNECT_BACKOFF, Math.max(1, failures), random);
    } catch (error) {
      if (signal.aborted) return;
      failures++;
      const isInactive = messageOf(error).includes(INACTIVE);
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
  const url = acsUrl(await deps.endpoint(signal), {
    ...deps.identity,
    protocolVersion: "2",
    seqNum: "1",
    sendCredentials: String(sendCredentials),
  });
  const over = new AbortController();
  const forward = (): void => over.abort();
  signal.addEventListener("abort", forward, { once: true });
  const timeout = deps.clock.sleep(DIAL_TIMEOUT_MS, over.signal).then(forward);
  try {
    return await deps.dial(url.href, deps.sign(url), over.signal);
  } finally {
    signal.removeEventListener("abort", forward);
    over.abort();
    await timeout;
  }
}

/** `<endpoint>/ws?<sorted query>`, with the endpoint's path kept and its scheme made a websocket's. */
export function acsUrl(endpoint: string, query: Readonly<Record<string, string>>): URL {
  const url = new URL(endpoint);
  url.protocol = url.protocol === "https:" || url.protocol === "wss:" ? "wss:" : "ws:";
  url.pathname = `${url.pathname.replace(/\/$/, "")}/ws`;
  for (const name of Object.keys(query).toSorted()) url.searchParams.set(name, query[name] ?? "");
  // Both are read as a space, but only this one is signed as one.
  url.search = url.search.replaceAll("+", "%20");
  return url;
}

/** Answers messages until either side closes, nothing comes any more, the connection is too old, or `signal` aborts. */
async function serve(
  { clock, handle, log, random }: SessionDeps,
  socket: MessageSocket,
  signal: AbortSignal,
): Promise<Ending> {
  const wake = new Wake();
  const expiresAt = clock.now() + AGE_MS_MAX + AGE_JITTER_MS * random.next();
  const nextSilence = (): number =>
    clock.now() + INACTIVITY_MS_MIN + INACTIVITY_JITTER_MS * random.next();
  let silentAt = nextSilence();
  let messageCount = 0;
  let closedWith: number | undefined;
  socket.onMessage((text) => {
    messageCount++;
    silentAt = nextSilence();
    // After the abort nobody is left to act on what is accepted.
    if (signal.aborted) return;
    try {
      for (const answer of handle(text)) socket.send(JSON.stringify(answer));
    } catch (error) {
      // Not acknowledged: the server sends it again.
      log.error("cannot take a message", { error: messageOf(error) });
    }
  });
  socket.onClose((code, reason) => {
    closedWith = code;
    log.info("connection to the server closed", { code, reason });
    wake.notify();
  });
  while (closedWith === undefined && !signal.aborted) {
    const now = clock.now();
    if (now >= expiresAt) socket.close(1000, "ConnectionExpired: Reconnect to continue");
    else if (now >= silentAt) socket.close(1001, "no message for too long");
    if (now >= Math.min(expiresAt, silentAt)) return { messageCount, code: 1000 };
    await waitForChange(clock, wake.next(), Math.min(expiresAt, silentAt), signal);
  }
  if (closedWith === undefined) socket.close(1001, "agent is going away");
  return { messageCount, code: closedWith ?? 1001 };
}

/** What the agent's two lasting connections (ACS, TCS) have in common: how they are dialled, and how long they last. */
import type { Clock } from "../lib/clock.ts";
import type { MessageSocket } from "../lib/message-socket.ts";
import type { Random } from "../lib/random.ts";
import type { Dial } from "./agent-deps.ts";
import { Wake, waitForChange } from "./wake.ts";

/** All figures are the ECS agent's. */
const INACTIVITY_MS_MIN = 60_000;
const INACTIVITY_JITTER_MS = 60_000;
const AGE_MS_MAX = 1_800_000;
const AGE_JITTER_MS = 300_000;
const DIAL_TIMEOUT_MS = 30_000;

/** `<endpoint>/ws?<sorted query>`, with the endpoint's path kept and its scheme made a websocket's. */
export function websocketUrl(endpoint: string, query: Readonly<Record<string, string>>): URL {
  const url = new URL(endpoint);
  url.protocol = url.protocol === "https:" || url.protocol === "wss:" ? "wss:" : "ws:";
  url.pathname = `${url.pathname.replace(/\/$/, "")}/ws`;
  for (const name of Object.keys(query).toSorted()) url.searchParams.set(name, query[name] ?? "");
  // Both are read as a space, but only this one is signed as one.
  url.search = url.search.replaceAll("+", "%20");
  return url;
}

/** Opens a connection, or gives up after half a minute. */
export async function dialInTime(
  { clock, dial }: { readonly clock: Clock; readonly dial: Dial },
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<MessageSocket> {
  const over = new AbortController();
  const forward = (): void => over.abort();
  signal.addEventListener("abort", forward, { once: true });
  const timeout = clock.sleep(DIAL_TIMEOUT_MS, over.signal).then(forward);
  try {
    return await dial(url.href, headers, over.signal);
  } finally {
    signal.removeEventListener("abort", forward);
    over.abort();
    await timeout;
  }
}

/** How a connection went: whether it was of use, and how it closed. */
export interface Ending {
  readonly messageCount: number;
  readonly code: number;
}

/**
 * Hands on messages until either side closes, nothing comes any more, the connection is too old, or `signal` aborts. Call in
 * the tick in which the socket was received.
 */
export async function attend(
  { clock, random }: { readonly clock: Clock; readonly random: Random },
  socket: MessageSocket,
  handlers: {
    readonly onMessage: (text: string) => void;
    readonly onClose: (code: number, reason: string) => void;
  },
  signal: AbortSignal,
): Promise<Ending> {
  const wake = new Wake();
  let expiresAt = clock.now() + AGE_MS_MAX + AGE_JITTER_MS * random.next();
  const nextSilence = (): number =>
    clock.now() + INACTIVITY_MS_MIN + INACTIVITY_JITTER_MS * random.next();
  let silentAt = nextSilence();
  let messageCount = 0;
  let closedWith: number | undefined;
  socket.onMessage((text) => {
    messageCount++;
    silentAt = nextSilence();
    // After the abort nobody is left to act on what is accepted.
    if (!signal.aborted) handlers.onMessage(text);
  });
  socket.onClose((code, reason) => {
    closedWith = code;
    handlers.onClose(code, reason);
    wake.notify();
  });
  while (closedWith === undefined && !signal.aborted) {
    const now = clock.now();
    // A clock that was set back makes neither later.
    expiresAt = Math.min(expiresAt, now + AGE_MS_MAX + AGE_JITTER_MS);
    silentAt = Math.min(silentAt, now + INACTIVITY_MS_MIN + INACTIVITY_JITTER_MS);
    if (now >= expiresAt) socket.close(1000, "ConnectionExpired: Reconnect to continue");
    else if (now >= silentAt) socket.close(1001, "no message for too long");
    if (now >= Math.min(expiresAt, silentAt)) return { messageCount, code: 1000 };
    await waitForChange(clock, wake.next(), Math.min(expiresAt, silentAt), signal);
  }
  if (closedWith === undefined) socket.close(1001, "agent is going away");
  return { messageCount, code: closedWith ?? 1001 };
}

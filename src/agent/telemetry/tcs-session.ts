/** The agent's telemetry connection (TCS): kept, dialled again, and published on (`ecs-agent-protocol` §4). */
import { type Backoff, backoffMs } from "../../lib/backoff.ts";
import type { Clock } from "../../lib/clock.ts";
import { messageOf } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { MessageSocket } from "../../lib/message-socket.ts";
import type { Random } from "../../lib/random.ts";
import { formatFrame } from "../../protocol/tcs.ts";
import type { Dial } from "../agent-deps.ts";
import { attend, dialInTime, type Ending, websocketUrl } from "../connection.ts";

/** ECS agent. */
const RECONNECT_BACKOFF: Backoff = { firstMs: 1_000, factor: 2, maxMs: 60_000 };
/** Close codes after which it reconnects without a pause: normal, going away, end of file. */
const RECONNECT_AT_ONCE: ReadonlySet<number> = new Set([1000, 1001, 1006]);
/** Chosen. A server that leaves more than this lying is not reading: what is published meanwhile is left out. */
const BUFFERED_BYTES_MAX = 4 * 2 ** 20;

export interface TcsSessionDeps {
  /** The telemetry endpoint that DiscoverPollEndpoint answers. */
  readonly endpoint: (signal: AbortSignal) => Promise<string>;
  readonly dial: Dial;
  /** SigV4 headers: of the handshake, and of each frame with its body. */
  readonly sign: (url: URL, body?: string) => Readonly<Record<string, string>>;
  /** Query parameters. */
  readonly identity: Readonly<Record<string, string>>;
  /** Publishes on one connection until `signal` aborts. `send` takes the JSON of a message. */
  readonly publish: (send: (body: string) => void, signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Keeps the connection until `signal` aborts. */
export async function runTcsSession(deps: TcsSessionDeps, signal: AbortSignal): Promise<void> {
  const { clock, log, random } = deps;
  let failures = 0;
  while (!signal.aborted) {
    try {
      const url = websocketUrl(await deps.endpoint(signal), deps.identity);
      const socket = await dialInTime(deps, url, deps.sign(url), signal);
      log.debug("telemetry is connected");
      const { code, messageCount } = await serve(deps, url, socket, signal);
      // A connection that brought nothing is a failure, whatever its code: else a server that closes at once is hammered.
      failures = messageCount > 0 ? 0 : failures + 1;
      if (messageCount > 0 && RECONNECT_AT_ONCE.has(code)) continue;
    } catch (error) {
      if (signal.aborted) return;
      failures++;
      if (failures === 1) log.warn("cannot send telemetry yet", { error: messageOf(error) });
    }
    await clock.sleep(backoffMs(RECONNECT_BACKOFF, Math.max(1, failures), random), signal);
  }
}

async function serve(
  deps: TcsSessionDeps,
  url: URL,
  socket: MessageSocket,
  signal: AbortSignal,
): Promise<Ending> {
  const { log, publish, sign } = deps;
  const over = new AbortController();
  const ending = attend(
    deps,
    socket,
    {
      // Heartbeats and acknowledgements only show that the server lives.
      onMessage: () => undefined,
      onClose: (code, reason) => log.debug("telemetry connection closed", { code, reason }),
    },
    signal,
  ).finally(() => over.abort());
  const send = (body: string): void => {
    if (over.signal.aborted || socket.bufferedBytes > BUFFERED_BYTES_MAX) return;
    socket.send(formatFrame(sign(url, body), body));
  };
  const published = publish(send, over.signal);
  published.catch((error: unknown) => {
    log.error("publishing telemetry failed", { error: messageOf(error) });
    socket.close(1011, "publishing failed");
  });
  await Promise.allSettled([published]);
  return ending;
}

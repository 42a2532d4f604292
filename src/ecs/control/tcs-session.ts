import type { Clock } from "../../lib/clock.ts";
import type { MessageSocket } from "../../lib/message-socket.ts";
import { HEARTBEAT_MS } from "./heartbeat.ts";

/** A reader that leaves more than this lying is not reading. */
const BUFFERED_BYTES_MAX = 2 ** 20;

/** What the agent publishes, and how it is acknowledged (`ecs-agent-protocol` §4). */
const ACKNOWLEDGEMENT: Readonly<Record<string, string>> = {
  PublishMetricsRequest: "AckPublishMetric",
  PublishHealthRequest: "AckPublishHealth",
  PublishInstanceStatusRequest: "AckPublishInstanceStatus",
};

/** Serves one telemetry connection until it is closed, by either side or by `signal`. Call in the socket's own tick. */
export async function runTcsSession(
  { clock, socket }: { readonly clock: Clock; readonly socket: MessageSocket },
  signal: AbortSignal,
): Promise<void> {
  const closed = new AbortController();
  const send = (type: string, message: object): void => {
    if (socket.bufferedBytes > BUFFERED_BYTES_MAX) socket.close(1001, "the agent reads too slowly");
    else socket.send(JSON.stringify({ type, message }));
  };
  socket.onMessage((frame) => {
    const type = typeOf(frame);
    const acknowledgement = type === undefined ? undefined : ACKNOWLEDGEMENT[type];
    if (acknowledgement !== undefined) send(acknowledgement, { message: "OK" });
  });
  socket.onClose(() => closed.abort());
  const either = AbortSignal.any([signal, closed.signal]);
  while (!either.aborted) {
    send("HeartbeatMessage", { healthy: true });
    await clock.sleep(HEARTBEAT_MS, either);
  }
  socket.close(1001, "the server is stopping");
}

/** The agent signs each frame: a block of headers and an empty line stand before the JSON. */
function typeOf(frame: string): string | undefined {
  const body = frame.startsWith("{") ? frame : frame.slice(frame.indexOf("\r\n\r\n") + 4);
  try {
    const { type } = JSON.parse(body) as { type?: unknown };
    return typeof type === "string" ? type : undefined;
  } catch {
    // Not JSON: nothing to acknowledge.
    return undefined;
  }
}

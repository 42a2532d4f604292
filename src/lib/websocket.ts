/** Websockets as {@link MessageSocket}s, by the `ws` package: both sides of every lasting connection. */
import type { IncomingMessage } from "node:http";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import { messageOf, UnavailableError } from "./errors.ts";
import type { MessageSocket } from "./message-socket.ts";

/** Chosen. What one message of a server may hold; the largest is the list of a node's whole network. */
const SERVER_MESSAGE_BYTES_MAX = 64 * 1024 * 1024;
/** Chosen. Servers explain a refusal in a line. */
const REFUSAL_BYTES_MAX = 64 * 1024;
/** The ECS agent's own. */
export const HANDSHAKE_MS_MAX = 30_000;
/** RFC 6455: a close frame's payload has 125 bytes, two of which are the code. */
const CLOSE_REASON_BYTES_MAX = 123;

/** The server answered the handshake, but not by opening the websocket. The message carries the body. */
export class HandshakeRefusedError extends Error {
  override readonly name = "HandshakeRefusedError";
  /** HTTP status. */
  readonly status: number;
  readonly body: string;

  constructor(status: number, body: string) {
    super(`websocket handshake refused with HTTP ${status}: ${body}`);
    this.status = status;
    this.body = body;
  }
}

/** Opens websockets on the connections of somebody else's HTTP server. */
export function createWebSocketServer(messageBytesMax: number): WebSocketServer {
  return new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: messageBytesMax,
  });
}

/** An open `ws` websocket as a {@link MessageSocket}. Binary messages close it: the protocols here are text. */
export function messageSocket(socket: WebSocket): MessageSocket {
  // Messages that came together with the handshake wait until whoever awaits the socket has set its listeners.
  socket.pause();
  setImmediate(() => socket.resume());
  // The close event that follows says all that anyone acts upon.
  socket.on("error", () => undefined);
  return {
    send(text) {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    close(code, reason) {
      socket.resume();
      socket.close(code, truncateUtf8(reason, CLOSE_REASON_BYTES_MAX));
    },
    onMessage(listener) {
      socket.on("message", (data: RawData, isBinary: boolean) => {
        if (isBinary) socket.close(1003, "text messages only");
        else listener(data.toString());
      });
    },
    onClose(listener) {
      socket.once("close", (code: number, reason: Buffer) => listener(code, reason.toString()));
    },
  };
}

/**
 * Opens a websocket to `url` (`ws:` or `wss:`; `http:` and `https:` mean the same) with `headers`, signed already.
 * Rejects with {@link HandshakeRefusedError}, with UnavailableError when there is no connection, or with the reason
 * of `signal`, which has no effect on the socket once it is open. `trust.ca`: the certificate authority of the server,
 * PEM, in place of the public ones.
 */
export function dialWebSocket(
  url: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
  trust: { readonly ca?: string | undefined } = {},
): Promise<MessageSocket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = new WebSocket(url, {
      headers: { ...headers },
      ...(trust.ca === undefined ? {} : { ca: trust.ca }),
      perMessageDeflate: false,
      maxPayload: SERVER_MESSAGE_BYTES_MAX,
      handshakeTimeout: HANDSHAKE_MS_MAX,
    });
    const fail = (error: unknown): void => {
      signal.removeEventListener("abort", onAbort);
      reject(error);
      // Emits one more error, which `onError` below swallows.
      socket.terminate();
    };
    const onAbort = (): void => fail(signal.reason);
    const onError = (cause: unknown): void => {
      fail(new UnavailableError(`cannot connect to ${url}: ${messageOf(cause)}`, { cause }));
    };
    signal.addEventListener("abort", onAbort, { once: true });
    socket.on("error", onError);
    socket.once("unexpected-response", (_request, response) => {
      readRefusal(response).then(
        (body) => fail(new HandshakeRefusedError(response.statusCode ?? 0, body)),
        onError,
      );
    });
    socket.once("open", () => {
      signal.removeEventListener("abort", onAbort);
      resolve(messageSocket(socket));
      socket.off("error", onError);
    });
  });
}

async function readRefusal(response: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of response.setEncoding("utf8")) {
    body += chunk;
    if (body.length >= REFUSAL_BYTES_MAX) break;
  }
  return body.slice(0, REFUSAL_BYTES_MAX);
}

function truncateUtf8(text: string, bytesMax: number): string {
  if (Buffer.byteLength(text) <= bytesMax) return text;
  return Buffer.from(text)
    .subarray(0, bytesMax)
    .toString()
    .replace(/\uFFFD$/, "");
}

/** The door on a TCP port: `node:http` and `ws` turned into calls of the gateway. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";
import type { Clock } from "../lib/clock.ts";
import { messageOf, SetupError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { bodyTooLarge } from "./errors.ts";
import type { Gateway } from "./gateway.ts";
import {
  BODY_BYTES_MAX,
  CLOSE_GRACE_MS,
  CONNECTIONS_MAX,
  DISCARDED_BYTES_MAX,
  HEADER_BYTES_MAX,
  HEADERS_MS_MAX,
  KEEP_ALIVE_MS,
  REQUEST_MS_MAX,
} from "./limits.ts";
import { NodeRequest } from "./node-request.ts";
import type { RawReply } from "./raw.ts";
import type { UpgradeRoute } from "./upgrade.ts";
import { UpgradeHandler } from "./upgrade-handler.ts";

export interface HttpOptions {
  readonly gateway: Gateway;
  readonly upgrades: readonly UpgradeRoute[];
  /** Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** PEM: the door speaks HTTPS with this certificate (and its chain). Absent: plain HTTP. */
  readonly tls?: { readonly certificate: string; readonly key: string } | undefined;
  readonly log: Log;
  readonly clock: Clock;
}

export interface HttpDoor {
  /** `http://127.0.0.1:4566`, or `https:` of it. */
  readonly url: string;
  readonly port: number;
  /** Takes no new calls, lets those under way end for a short while, then closes everything. */
  close(): Promise<void>;
}

/** Opens the door. Throws SetupError, saying what to do, when the address cannot be had. */
export async function serveHttp(options: HttpOptions): Promise<HttpDoor> {
  const { gateway, listen, tls, clock } = options;
  const upgrades = new UpgradeHandler(options);
  let isClosing = false;
  const serverOptions = {
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: HEADERS_MS_MAX,
    requestTimeout: REQUEST_MS_MAX,
    maxHeaderSize: HEADER_BYTES_MAX,
    // An offer of another protocol (h2c) may be ignored: the call is answered as plain HTTP/1.1.
    shouldUpgradeCallback: (request: IncomingMessage) =>
      request.headers.upgrade?.toLowerCase() === "websocket",
  };
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    // Rejects only when the caller goes away in the middle of its body: there is nobody to tell.
    serve(gateway, request, response, () => isClosing).catch(() => request.destroy());
  };
  const server =
    tls === undefined
      ? createServer(serverOptions, listener)
      : createTlsServer(
          {
            ...serverOptions,
            handshakeTimeout: HEADERS_MS_MAX,
            cert: tls.certificate,
            key: tls.key,
          },
          listener,
        );
  server.maxConnections = CONNECTIONS_MAX;
  server.on("upgrade", (request, socket, head) => upgrades.handle(request, socket, head));
  await listening(server, listen);
  const { port } = server.address() as AddressInfo;
  const host = listen.host.includes(":") ? `[${listen.host}]` : listen.host;
  return {
    url: `${tls === undefined ? "http" : "https"}://${host}:${port}`,
    port,
    close: async () => {
      isClosing = true;
      upgrades.close();
      await closeServer(server, () => upgrades.terminate(), clock);
    },
  };
}

async function serve(
  gateway: Gateway,
  request: IncomingMessage,
  response: ServerResponse,
  isClosing: () => boolean,
): Promise<void> {
  const body = await readBody(request);
  const raw = new NodeRequest(request, body ?? NO_BODY, response);
  const reply =
    body === undefined ? gateway.reject(raw, bodyTooLarge()) : await gateway.handle(raw);
  if (isClosing()) response.shouldKeepAlive = false;
  if (reply.stream !== undefined) return stream(gateway, raw, response, reply, reply.stream);
  const length = Buffer.byteLength(reply.body);
  response.writeHead(reply.status, { ...reply.headers, "content-length": length });
  // A string goes out in one piece with the headers; a buffer would be a second one.
  response.end(reply.body);
}

/** Ends early, telling whoever makes the stream, when the reader goes away. */
async function stream(
  gateway: Gateway,
  raw: NodeRequest,
  response: ServerResponse,
  reply: RawReply,
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  response.writeHead(reply.status, reply.headers);
  response.flushHeaders();
  try {
    await pipeline(chunks, response);
  } catch (error) {
    if (!isGone(error)) gateway.reject(raw, error);
    response.destroy();
  }
}

/** Whether a stream failed because its reader left, which is not a fault. */
function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ERR_STREAM_PREMATURE_CLOSE" || code === "ECONNRESET" || code === "EPIPE";
}

const NO_BODY = new Uint8Array();

/** The whole body; `undefined` when it is larger than the door takes. Rejects when the caller goes away. */
function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= BODY_BYTES_MAX) chunks.push(chunk);
      else chunks.length = 0;
      // Hanging up on a caller that still sends would lose the answer: the rest is read and dropped, to a point.
      if (length > DISCARDED_BYTES_MAX) request.destroy(new Error("the body does not end"));
    });
    request.on("end", () => {
      const [first] = chunks;
      if (length > BODY_BYTES_MAX) resolve(undefined);
      else if (chunks.length === 1 && first !== undefined) resolve(first);
      else resolve(Buffer.concat(chunks, length));
    });
    request.on("error", reject);
  });
}

function listening(server: Server, listen: HttpOptions["listen"]): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void =>
      reject(new SetupError(explainListen(error, listen), { cause: error }));
    server.once("error", onError);
    server.listen({ host: listen.host, port: listen.port }, () => {
      server.removeListener("error", onError);
      resolve();
    });
  });
}

function explainListen(
  error: NodeJS.ErrnoException,
  { host, port }: HttpOptions["listen"],
): string {
  const choose = "choose another address with --listen or GANTRY_LISTEN";
  switch (error.code) {
    case "EADDRINUSE":
      return `port ${port} of ${host} is taken by another program: stop it, or ${choose}`;
    case "EACCES":
      return `not allowed to listen on port ${port} of ${host}: run as root, or ${choose}`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `${host} is not an address of this machine: ${choose}`;
    default:
      return `cannot listen on ${host}:${port} (${messageOf(error)}): ${choose}`;
  }
}

async function closeServer(server: Server, terminate: () => void, clock: Clock): Promise<void> {
  const graceEnded = new AbortController();
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      graceEnded.abort();
      resolve();
    });
  });
  server.closeIdleConnections();
  await clock.sleep(CLOSE_GRACE_MS, graceEnded.signal);
  server.closeAllConnections();
  terminate();
  await closed;
}

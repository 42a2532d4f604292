/** The door on a TCP port: `node:http` and `ws` turned into calls of the gateway. */
import type { Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { http } from "../lib/builtins.ts";
import type { Clock } from "../lib/clock.ts";
import { messageOf, SetupError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { answer } from "./answer.ts";
import type { Gateway } from "./gateway.ts";
import {
  CLOSE_GRACE_MS,
  CONNECTIONS_MAX,
  HEADER_BYTES_MAX,
  HEADERS_MS_MAX,
  KEEP_ALIVE_MS,
  OVERDUE_CHECK_MS,
  REPLY_MS_MAX,
  REQUEST_MS_MAX,
} from "./limits.ts";
import { SentMessage } from "./node-request.ts";
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
  /** For tests. Default: {@link PATIENCE}. */
  readonly patience?: Partial<Patience>;
}

/** How long the door waits for a caller, in milliseconds. */
export interface Patience {
  /** From the first byte to the last of the headers. */
  readonly headersMs: number;
  /** From the first byte to the last of the request. */
  readonly requestMs: number;
  /** For a reader of a reply that takes nothing. */
  readonly replyMs: number;
  /** Between looks at who is overdue. */
  readonly checkMs: number;
}

const PATIENCE: Patience = {
  headersMs: HEADERS_MS_MAX,
  requestMs: REQUEST_MS_MAX,
  replyMs: REPLY_MS_MAX,
  checkMs: OVERDUE_CHECK_MS,
};

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
  const patience = { ...PATIENCE, ...options.patience };
  const answerDeps = { gateway, replyMs: patience.replyMs, isClosing: () => isClosing };
  const serverOptions = {
    IncomingMessage: SentMessage,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: patience.headersMs,
    requestTimeout: patience.requestMs,
    connectionsCheckingInterval: patience.checkMs,
    maxHeaderSize: HEADER_BYTES_MAX,
    // An offer of another protocol (h2c) may be ignored: the call is answered as plain HTTP/1.1.
    shouldUpgradeCallback: (request: SentMessage) =>
      request.headers.upgrade?.toLowerCase() === "websocket",
  };
  const listener = (request: SentMessage, response: ServerResponse): void => {
    // Rejects only when the caller goes away in the middle of its body: there is nobody to tell.
    answer(answerDeps, request, response).catch(() => request.destroy());
  };
  const server =
    tls === undefined
      ? http.createServer(serverOptions, listener)
      : process.getBuiltinModule("node:https").createServer(
          {
            ...serverOptions,
            handshakeTimeout: patience.headersMs,
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

/** The endpoint server of a machine: HTTP on its loopback, made reachable from tasks as 169.254.170.2 by the dataplane. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { http } from "../../lib/builtins.ts";
import type { Clock } from "../../lib/clock.ts";
import { messageOf } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { Disk } from "../disk.ts";
import { type Answer, text } from "./answer.ts";
import { Endpoint } from "./endpoint.ts";
import type { EndpointHub } from "./hub.ts";
import { type LoopbackServer, openOnLoopback } from "./loopback-server.ts";

/** Chosen, all of them: containers ask with small requests, often, and are not trusted. */
const HEADER_BYTES_MAX = 16 * 1024;
const BODY_BYTES_MAX = 16 * 1024;
const HEADERS_MS_MAX = 5_000;
const REQUEST_MS_MAX = 10_000;
const KEEP_ALIVE_MS = 30_000;
const OVERDUE_CHECK_MS = 2_000;
const CONNECTIONS_MAX = 4_096;
/** Of one address, so that no task can take all. */
const CONNECTIONS_PER_ADDRESS_MAX = 256;

export interface EndpointServerDeps {
  readonly hub: EndpointHub;
  readonly disk: Pick<Disk, "readText" | "writeText">;
  /** Where the port is kept. */
  readonly portFile: string;
  readonly clock: Clock;
  readonly log: Log;
}

export type EndpointServer = LoopbackServer;

/** Listens where it listened before, if that port is free, and else on a new one. */
export function openEndpointServer(deps: EndpointServerDeps): Promise<EndpointServer> {
  const log = deps.log.child("endpoints");
  return openOnLoopback(createEndpointServer({ ...deps, log }), { ...deps, log });
}

function createEndpointServer(deps: EndpointServerDeps): Server {
  const endpoint = new Endpoint(deps);
  const server = http.createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: HEADERS_MS_MAX,
      requestTimeout: REQUEST_MS_MAX,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: OVERDUE_CHECK_MS,
    },
    (request, response) => {
      serve(endpoint, request).then(
        (answer) => send(response, answer),
        (error: unknown) => {
          if (request.destroyed) return;
          deps.log.error("a request could not be answered", { error: messageOf(error) });
          send(response, text(500, "internal failure"));
        },
      );
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  limitPerAddress(server);
  return server;
}

function limitPerAddress(server: Server): void {
  const open = new Map<string, number>();
  server.on("connection", (socket: Socket) => {
    const address = socket.remoteAddress ?? "";
    const count = (open.get(address) ?? 0) + 1;
    if (count > CONNECTIONS_PER_ADDRESS_MAX) {
      socket.destroy();
      return;
    }
    open.set(address, count);
    socket.once("close", () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left > 0) open.set(address, left);
      else open.delete(address);
    });
  });
}

async function serve(endpoint: Endpoint, request: IncomingMessage): Promise<Answer> {
  const body = await readBody(request);
  if (body === undefined) return text(413, `the body is larger than ${BODY_BYTES_MAX} bytes`);
  return endpoint.answer({
    method: request.method ?? "",
    target: request.url ?? "/",
    sourceAddress: request.socket.remoteAddress ?? "",
    body,
  });
}

/** Undefined: it is too large, and not read to its end. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  const iterator: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
  for await (const chunk of iterator) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length).toString();
}

function send(response: ServerResponse, { status, contentType, body }: Answer): void {
  const headers = { "content-type": contentType, "content-length": Buffer.byteLength(body) };
  response.writeHead(status, status === 413 ? { ...headers, connection: "close" } : headers);
  response.end(body);
}

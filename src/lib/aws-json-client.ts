/** A client of one awsJson 1.1 service at our own door: for agents and the command line, without the SDK. */
import type { IncomingMessage } from "node:http";
import { request as httpsRequest, Agent as TlsAgent } from "node:https";
import { http } from "./builtins.ts";
import type { Clock } from "./clock.ts";
import { ApiError, messageOf, UnavailableError } from "./errors.ts";
import { type Credentials, createSigner } from "./sigv4.ts";

export interface AwsJsonClient {
  /**
   * Calls `operation`; Dates in `input` go as epoch seconds, and times come back so. Throws {@link ApiError} with the
   * service's code, {@link UnavailableError} when the service cannot be reached or fails (5xx), or the reason of
   * `signal`. Never retries: callers decide.
   */
  call(operation: string, input: unknown, signal?: AbortSignal): Promise<unknown>;
}

export interface AwsJsonClientOptions {
  /** e.g. `http://127.0.0.1:4566`. */
  readonly endpoint: string;
  /** Signing name: `ecs`, `logs`. */
  readonly service: string;
  /** What stands before the dot in `X-Amz-Target`. */
  readonly targetPrefix: string;
  readonly region: string;
  /** Asked at each call, so that refreshed credentials are used at once. */
  readonly credentials: () => Credentials;
  readonly clock: Clock;
  /** The certificate authority of the server, PEM, in place of the public ones. */
  readonly ca?: string | undefined;
  /** How the bytes travel. Default: HTTP with kept connections. */
  readonly send?: HttpSend;
}

export interface HttpMessage {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** POSTs one message. Rejects when there is no answer. */
export type HttpSend = (
  message: HttpMessage,
  signal: AbortSignal | undefined,
) => Promise<{ readonly status: number; readonly body: string }>;

/** Chosen. Above the door's own limit for what it takes, below what would hurt a node. */
const REPLY_BYTES_MAX = 64 * 1024 * 1024;
/** The ECS agent's own. Without it a server that is stuck would hold its caller for ever. */
const REPLY_MS_MAX = 42_000;
/** Chosen. An agent's parallel calls are bounded by its own loops; this only bounds a mistake. */
const CONNECTIONS_MAX = 64;

/** Makes a client; without `send`, with a pool of connections of its own. */
export function createAwsJsonClient(options: AwsJsonClientOptions): AwsJsonClient {
  const send = options.send ?? createHttpSend(options.ca);
  const url = new URL(options.endpoint);
  const sign = createSigner();
  return {
    async call(operation, input, signal) {
      signal?.throwIfAborted();
      const body = JSON.stringify(input ?? {}, dateAsSeconds);
      const request = {
        method: "POST",
        url,
        headers: {
          "content-type": "application/x-amz-json-1.1",
          "x-amz-target": `${options.targetPrefix}.${operation}`,
        },
        body,
        credentials: options.credentials(),
        service: options.service,
        region: options.region,
        now: options.clock.now(),
      };
      const headers = sign(request);
      let reply: Awaited<ReturnType<HttpSend>>;
      try {
        reply = await send({ url, headers, body }, signal);
      } catch (error) {
        signal?.throwIfAborted();
        const message = `${operation} at ${options.endpoint}: ${messageOf(error)}`;
        throw new UnavailableError(message, { cause: error });
      }
      return outputOf(operation, reply);
    },
  };
}

function outputOf(operation: string, reply: { status: number; body: string }): unknown {
  const output = parseObject(reply.body);
  if (reply.status === 200 && output !== undefined) return output;
  const { __type: type, message, Message, ...members } = output ?? {};
  const code = typeof type === "string" ? type.slice(type.lastIndexOf("#") + 1) : undefined;
  const text = String(message ?? Message ?? reply.body.slice(0, 200));
  // 501 is the door's "not here": trying again cannot help.
  const isTransient = reply.status >= 500 && reply.status !== 501;
  if (isTransient || code === undefined) {
    throw new UnavailableError(`${operation} answered HTTP ${reply.status}: ${text}`);
  }
  throw new ApiError(code, text, { status: reply.status, members });
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** `this` is the holder: by the time of `value`, a Date has already become a text. */
function dateAsSeconds(this: unknown, key: string, value: unknown): unknown {
  const original = (this as Record<string, unknown>)[key];
  return original instanceof Date ? original.getTime() / 1000 : value;
}

/** HTTP with kept connections, which clients may share. They are let go when idle and do not keep a process alive. */
export function createHttpSend(ca: string | undefined): HttpSend {
  const pool = { keepAlive: true, maxSockets: CONNECTIONS_MAX };
  const agent = new http.Agent(pool);
  const tlsAgent = new TlsAgent({ ...pool, ...(ca === undefined ? {} : { ca }) });
  return ({ url, headers, body }, signal) =>
    new Promise((resolve, reject) => {
      const isPlain = url.protocol === "http:";
      const request = (isPlain ? http.request : httpsRequest)(
        url,
        {
          method: "POST",
          headers: { ...headers, "content-length": Buffer.byteLength(body) },
          agent: isPlain ? agent : tlsAgent,
          ...(signal === undefined ? {} : { signal }),
          timeout: REPLY_MS_MAX,
        },
        (response) => {
          readText(response).then(
            (text) => resolve({ status: response.statusCode ?? 0, body: text }),
            reject,
          );
        },
      );
      request.on("timeout", () => request.destroy(new Error(`no answer in ${REPLY_MS_MAX} ms`)));
      request.on("error", reject);
      request.end(body);
    });
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > REPLY_BYTES_MAX)
      throw new Error(`the answer is larger than ${REPLY_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length).toString();
}

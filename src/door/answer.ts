/** One request of `node:http` as a call of the gateway, and its reply. */
import type { ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { bodyTooLarge } from "./errors.ts";
import type { Gateway } from "./gateway.ts";
import { BODY_BYTES_MAX, DISCARDED_BYTES_MAX } from "./limits.ts";
import { NodeRequest, type SentMessage } from "./node-request.ts";
import type { RawReply } from "./raw.ts";

export interface AnswerDeps {
  readonly gateway: Gateway;
  /** Whoever takes nothing of a reply for so long is cut off, in milliseconds. */
  readonly replyMs: number;
  /** Whether the connection should end with the reply. */
  readonly isClosing: () => boolean;
}

/**
 * Reads a request, has it answered and writes the reply. Rejects only when the caller goes away in the middle of its
 * body.
 */
export async function answer(
  deps: AnswerDeps,
  request: SentMessage,
  response: ServerResponse,
): Promise<void> {
  const { gateway, replyMs } = deps;
  // Most bodies come with their headers, and are there as soon as Node has read on: those need no events.
  await undefined;
  const body = bodyAtHand(request) ?? (await readBody(request));
  const raw = new NodeRequest(request, body ?? NO_BODY, response);
  const reply =
    body === undefined ? gateway.reject(raw, bodyTooLarge()) : await gateway.handle(raw);
  if (deps.isClosing()) response.shouldKeepAlive = false;
  if (reply.stream !== undefined) {
    // AWS's own streams say something every second, whether or not there is news.
    response.setTimeout(replyMs, () => response.destroy());
    return stream(gateway, raw, response, reply, reply.stream);
  }
  const headers = flatten(reply.headers);
  const length = Buffer.byteLength(reply.body);
  headers.push("content-length", String(length));
  response.writeHead(reply.status, headers);
  // A string goes out in one piece with the headers; a buffer would be a second one. ASCII needs no encoder.
  response.end(reply.body, length === reply.body.length ? "latin1" : "utf8");
  if (response.writableLength > 0) response.setTimeout(replyMs, () => response.destroy());
}

const NO_BODY = new Uint8Array();

/** Names and values in turn, which Node writes as they are. */
function flatten(headers: Readonly<Record<string, string>>): string[] {
  const flat: string[] = [];
  for (const name in headers) flat.push(name, headers[name] as string);
  return flat;
}

/** Ends early, telling whoever makes the stream, when the reader goes away. */
async function stream(
  gateway: Gateway,
  raw: NodeRequest,
  response: ServerResponse,
  reply: RawReply,
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  response.writeHead(reply.status, flatten(reply.headers));
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

/** The body, if all of it is there, and it is not large. */
function bodyAtHand(request: SentMessage): Uint8Array | undefined {
  const { "content-length": length = "0", "transfer-encoding": encoding } = request.headers;
  const { readableLength } = request;
  const isHere = encoding === undefined && readableLength === Number(length);
  if (!isHere || readableLength > BODY_BYTES_MAX) return undefined;
  const body: Buffer | null = request.read();
  return body ?? NO_BODY;
}

/** The whole body; `undefined` when it is larger than the door takes. Rejects when the caller goes away. */
function readBody(request: SentMessage): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    if (request.destroyed) reject(new Error("the caller is gone"));
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
      const [first = NO_BODY] = chunks;
      const whole = chunks.length > 1 ? Buffer.concat(chunks, length) : first;
      resolve(length > BODY_BYTES_MAX ? undefined : whole);
    });
    request.on("error", reject);
  });
}

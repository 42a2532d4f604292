import type { ServerResponse } from "node:http";
import { http } from "../lib/builtins.ts";
import type { RawRequest } from "./raw.ts";

/**
 * A message whose `headers` are as they were sent: Node's own drop some repeated ones, which the signature covers. Node
 * asks for them too, in each call, so that one reading serves both.
 */
export class SentMessage extends http.IncomingMessage {
  declare readonly headers: Record<string, string>;
  sentHeaders: Record<string, string> | undefined;
}

Object.defineProperty(SentMessage.prototype, "headers", {
  get(this: SentMessage) {
    this.sentHeaders ??= joinHeaders(this.rawHeaders);
    return this.sentHeaders;
  },
});

/** Objects made from it have as few members as those of `null`, which V8 would keep as slow hash tables. */
const NO_MEMBERS: object = Object.create(null);

function joinHeaders(raw: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = Object.create(NO_MEMBERS);
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] as string).toLowerCase();
    const value = raw[at + 1] as string;
    const before = headers[name];
    headers[name] = before === undefined ? value : `${before},${value}`;
  }
  return headers;
}

/** A {@link RawRequest} over a {@link SentMessage}, making what few handlers need only when they ask for it. */
export class NodeRequest implements RawRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly #request: SentMessage;
  readonly #response: ServerResponse | undefined;
  #abort: AbortController | undefined;

  constructor(request: SentMessage, body: Uint8Array, response?: ServerResponse) {
    this.method = request.method ?? "";
    this.target = request.url ?? "";
    this.headers = request.headers;
    this.body = body;
    this.#request = request;
    this.#response = response;
  }

  get sourceIp(): string {
    const address = this.#request.socket.remoteAddress ?? "";
    return address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const abort = new AbortController();
      this.#abort = abort;
      if (this.#request.socket.destroyed) abort.abort();
      else this.#response?.once("close", () => abort.abort());
    }
    return this.#abort.signal;
  }
}

import type { IncomingMessage, ServerResponse } from "node:http";
import type { RawRequest } from "./raw.ts";

/** A {@link RawRequest} over Node's own, making what few handlers need only when they ask for it. */
export class NodeRequest implements RawRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse | undefined;
  #abort: AbortController | undefined;

  constructor(request: IncomingMessage, body: Uint8Array, response?: ServerResponse) {
    this.method = request.method ?? "";
    this.target = request.url ?? "";
    this.headers = joinHeaders(request.rawHeaders);
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

/** Objects made from it have as few members as those of `null`, which V8 would keep as slow hash tables. */
const NO_MEMBERS: object = Object.create(null);

/** As they were sent: Node's own `headers` drops some repeated ones, which the signature covers. */
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

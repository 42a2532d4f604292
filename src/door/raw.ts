/** A request and its reply as bytes: nothing of a web framework, so that tests and the simulator need no socket. */

export interface RawRequest {
  readonly method: string;
  /** Path and query exactly as sent. */
  readonly target: string;
  /** Lower-case names; the values of a repeated header joined by commas. One character per byte sent. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
  /** The caller's address. */
  readonly sourceIp: string;
  /** Aborts when the caller goes away. */
  readonly signal: AbortSignal;
}

export interface RawReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** A string goes out in one piece with the headers. */
  readonly body: string | Uint8Array;
  /** What follows the body, written as it comes and at the reader's pace. */
  readonly stream?: AsyncIterable<Uint8Array>;
}

/** `target` split at its first question mark; the query without it. */
export function splitTarget(target: string): { path: string; query: string } {
  const mark = target.indexOf("?");
  if (mark < 0) return { path: target, query: "" };
  return { path: target.slice(0, mark), query: target.slice(mark + 1) };
}

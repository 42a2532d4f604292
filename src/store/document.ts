import { assert } from "../lib/errors.ts";
import { STORE_DOCUMENT_LENGTH_MAX } from "../lib/limits.ts";
import { readMembers } from "./json-members.ts";
import type { Revision, StoreRecord } from "./store.ts";

/**
 * The JSON text of a document. What JSON cannot say (`undefined` members, functions) is left out, as `JSON.stringify` does.
 * Throws InvariantError when nothing is left, or the text is too long: operations bound their input, so that is a bug.
 */
export function formatDocument(value: unknown): string {
  const text: string | undefined = JSON.stringify(value);
  assert(text !== undefined, "a document must be a JSON value");
  assert(
    text.length <= STORE_DOCUMENT_LENGTH_MAX,
    `a document of ${text.length} characters exceeds ${STORE_DOCUMENT_LENGTH_MAX}`,
  );
  return text;
}

/** A document's JSON in UTF-8, among others in the same bytes: from `start` to before `end`. */
export interface PackedText {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Chosen: what indexes read of a task stands in 500 bytes; the rest of a document is decoded when it is asked for. */
const HEAD_BYTES = 640;

/**
 * A record that begins as text and lets go of it when it is first read. Most records of a large store are never read
 * again, and parsing them all was most of the time that opening took.
 */
export class DocumentRecord implements StoreRecord {
  readonly key: string;
  readonly revision: Revision;
  /** Until the document has been read. Packed where there are many: the collector then has nothing to move. */
  #text: string | PackedText | undefined;
  #value: unknown;

  /** `text` is what {@link formatDocument} gave. */
  constructor(key: string, revision: Revision, text: string | PackedText) {
    this.key = key;
    this.revision = revision;
    this.#text = text;
  }

  get value(): unknown {
    if (this.#text !== undefined) {
      this.#value = freeze(JSON.parse(unpack(this.#text)));
      this.#text = undefined;
    }
    return this.#value;
  }

  members(names: readonly string[]): Readonly<Record<string, unknown>> {
    if (this.#text !== undefined) {
      return readMembers(unpack(this.#text, HEAD_BYTES), names) ?? this.#membersOfValue();
    }
    return this.#membersOfValue();
  }

  #membersOfValue(): Readonly<Record<string, unknown>> {
    const { value } = this;
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  }
}

/** All of a text, or its beginning where that spares work. */
function unpack(text: string | PackedText, bytesMax = Number.POSITIVE_INFINITY): string {
  if (typeof text === "string") return text;
  return text.bytes.toString("utf8", text.start, Math.min(text.end, text.start + bytesMax));
}

/** Frozen at every level, since records are shared by all readers. `for in` visits just the own members: what `JSON.parse` makes inherits nothing enumerable. It costs half of `Object.values`. */
function freeze(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) for (const element of value) freeze(element);
  else for (const name in value) freeze((value as Record<string, unknown>)[name]);
  return Object.freeze(value);
}

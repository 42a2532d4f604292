import { assert, UnavailableError } from "../lib/errors.ts";
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

/** Where the JSON texts of some documents are to be had; `position`: which of them. */
export interface DocumentSource {
  /** All of it. Throws UnavailableError when it cannot be read. */
  text(position: number): string;
  /** The first so many bytes, where that costs less than all of it; maybe with half a character at the end. */
  head(position: number, bytes: number): string;
}

/** Chosen: a stopped task's place in the indexes stands in 60 bytes, any other's in 500. */
const HEAD_BYTES = [96, 640];

/**
 * A record that begins as text and lets go of it when it is first read. Most records of a large store are never read
 * again, and parsing them all was most of the time that opening took.
 */
export class DocumentRecord implements StoreRecord {
  readonly key: string;
  readonly revision: Revision;
  /** Until the document has been read. */
  #source: string | DocumentSource | undefined;
  readonly #position: number;
  #value: unknown;

  /** `source`: what {@link formatDocument} gave, or where that is, at which position. */
  constructor(key: string, revision: Revision, source: string | DocumentSource, position = 0) {
    this.key = key;
    this.revision = revision;
    this.#source = source;
    this.#position = position;
  }

  get value(): unknown {
    if (this.#source !== undefined) {
      const text =
        typeof this.#source === "string" ? this.#source : this.#source.text(this.#position);
      this.#value = freeze(JSON.parse(text));
      this.#source = undefined;
    }
    return this.#value;
  }

  /**
   * Has the text at hand from now on, whatever becomes of the source. Throws nothing: where it cannot be read, whoever asks for
   * it later is told so.
   */
  detach(): void {
    if (this.#source === undefined || typeof this.#source === "string") return;
    try {
      this.#source = this.#source.text(this.#position);
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
    }
  }

  members(names: readonly string[]): Readonly<Record<string, unknown>> {
    if (this.#source === undefined) return membersOf(this.#value, names);
    return this.#membersOfText(this.#source, names) ?? membersOf(this.value, names);
  }

  /** Undefined where only the whole document tells. */
  #membersOfText(
    source: string | DocumentSource,
    names: readonly string[],
  ): Record<string, unknown> | undefined {
    if (typeof source === "string") return readMembers(source, names);
    for (const bytes of HEAD_BYTES) {
      const found = readMembers(source.head(this.#position, bytes), names);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** Of a document that has been read, exactly what {@link readMembers} finds in its text: indexes rest on that. */
function membersOf(value: unknown, names: readonly string[]): Readonly<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  if (typeof value !== "object" || value === null || Array.isArray(value)) return found;
  let missing = names.length;
  for (const name in value) {
    if (missing === 0) break;
    found[name] = (value as Record<string, unknown>)[name];
    if (names.includes(name)) missing--;
  }
  return found;
}

/** Frozen at every level, since records are shared by all readers. `for in` visits just the own members: what `JSON.parse` makes inherits nothing enumerable. It costs half of `Object.values`. */
function freeze(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) for (const element of value) freeze(element);
  else for (const name in value) freeze((value as Record<string, unknown>)[name]);
  return Object.freeze(value);
}

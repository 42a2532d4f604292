import { assert } from "../lib/errors.ts";
import { STORE_DOCUMENT_LENGTH_MAX } from "../lib/limits.ts";

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

/** The document of a JSON text, frozen at every level: records are shared by all readers. */
export function parseDocument(text: string): unknown {
  return freeze(JSON.parse(text));
}

/** `for in` visits just the own members here: what `JSON.parse` makes inherits nothing enumerable. It costs half of `Object.values`. */
function freeze(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) for (const element of value) freeze(element);
  else for (const name in value) freeze((value as Record<string, unknown>)[name]);
  return Object.freeze(value);
}

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

function freeze(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  for (const member of Object.values(value)) freeze(member);
  return Object.freeze(value);
}

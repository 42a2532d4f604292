/**
 * At least the named top-level members of the JSON text of an object, as far as it has them; an empty object for any other
 * text. Parses no further than the last of them: where they stand at the beginning, it costs a fraction of the whole text.
 * `text` must be as `JSON.stringify` writes it: valid, and without white space. It may be cut off anywhere: undefined when what
 * is left of it does not tell.
 */
export function readMembers(
  text: string,
  names: readonly string[],
): Record<string, unknown> | undefined {
  if (text.charCodeAt(0) !== OPEN_BRACE) return {};
  let missing = names.length;
  let at = 0;
  // Each round begins at the brace or comma before a member.
  while (missing > 0 && text.charCodeAt(at + 1) === QUOTE) {
    const nameStart = at + 2;
    const nameEnd = endOfString(text, nameStart);
    const isWanted = isOneOf(names, text, nameStart, nameEnd);
    at = endOfValue(text, nameEnd + 2);
    if (at >= text.length) return undefined;
    if (isWanted) missing--;
  }
  if (missing > 0 && at + 1 >= text.length && text.charCodeAt(at) !== CLOSE_BRACE) return undefined;
  return JSON.parse(at === 0 ? "{}" : `${text.slice(0, at)}}`);
}

function isOneOf(names: readonly string[], text: string, start: number, end: number): boolean {
  for (const name of names) {
    if (name.length === end - start && text.startsWith(name, start)) return true;
  }
  return false;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** The index of the comma or bracket that follows the value at `from`; the text's end where it is cut off. */
function endOfValue(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at + 1);
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) depth++;
    else if (depth === 0 && (code === COMMA || code === CLOSE_BRACE)) return at;
    else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) depth--;
  }
  return text.length;
}

/** The index of the quote that ends the string whose first character is at `from`; the text's end where it is cut off. */
function endOfString(text: string, from: number): number {
  let at = text.indexOf('"', from);
  while (at >= 0 && isEscaped(text, at)) at = text.indexOf('"', at + 1);
  return at < 0 ? text.length : at;
}

/** Whether an odd number of backslashes stands before it. */
function isEscaped(text: string, at: number): boolean {
  let before = at - 1;
  while (text.charCodeAt(before) === BACKSLASH) before--;
  return (at - before) % 2 === 0;
}

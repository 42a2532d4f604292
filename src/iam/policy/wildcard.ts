/** IAM's wildcards: `*` stands for any run of characters, also none; `?` for exactly one (a UTF-16 unit). */

/** Also where literals hold a `*`, as `${*}` and the values of policy variables may, they are literals. */
export type PatternPart = { readonly literal: string } | { readonly wildcard: "*" | "?" };

/** What stands between two `*`. */
interface Piece {
  readonly text: string;
  /** Indexes of `text` that a `?` covers: any character will do. */
  readonly gaps: ReadonlySet<number> | undefined;
}

/** A compiled pattern: `head*middle*…*tail`. Without a `*` there is only a head. */
export interface Pattern {
  readonly head: Piece;
  readonly middle: readonly Piece[];
  readonly tail: Piece | undefined;
}

/** Compiles `arn:aws:ecs:*:cluster/de?o`. */
export function parsePattern(text: string): Pattern {
  return compilePattern(splitWildcards(text));
}

/** Takes a text apart at its wildcards. */
export function splitWildcards(text: string): readonly PatternPart[] {
  return text
    .split(/([*?])/)
    .filter((part) => part !== "")
    .map((part) => (part === "*" || part === "?" ? { wildcard: part } : { literal: part }));
}

export function compilePattern(parts: readonly PatternPart[]): Pattern {
  const [head = EMPTY, ...others] = splitAtStars(parts).map(compilePiece);
  return { head, middle: others.slice(0, -1), tail: others.at(-1) };
}

const EMPTY: Piece = { text: "", gaps: undefined };

function splitAtStars(parts: readonly PatternPart[]): PatternPart[][] {
  const pieces: PatternPart[][] = [[]];
  for (const part of parts) {
    if ("wildcard" in part && part.wildcard === "*") pieces.push([]);
    else pieces.at(-1)?.push(part);
  }
  return pieces;
}

function compilePiece(parts: readonly PatternPart[]): Piece {
  let text = "";
  const gaps = new Set<number>();
  for (const part of parts) {
    if ("wildcard" in part) gaps.add(text.length);
    text += "wildcard" in part ? part.wildcard : part.literal;
  }
  return { text, gaps: gaps.size > 0 ? gaps : undefined };
}

/**
 * Whether the pattern covers the whole value. Each piece is taken at its first possible place and never moved again,
 * which is enough when every gap between pieces is a `*`: no pattern can make this explode.
 */
export function matchesPattern({ head, middle, tail }: Pattern, value: string): boolean {
  if (tail === undefined) return value.length === head.text.length && fitsAt(head, value, 0);
  if (!fitsAt(head, value, 0)) return false;
  let from = head.text.length;
  for (const piece of middle) {
    const at = findPiece(piece, value, from);
    if (at === -1) return false;
    from = at + piece.text.length;
  }
  const tailAt = value.length - tail.text.length;
  return tailAt >= from && fitsAt(tail, value, tailAt);
}

function fitsAt({ text, gaps }: Piece, value: string, at: number): boolean {
  if (gaps === undefined) return value.startsWith(text, at);
  if (at + text.length > value.length) return false;
  for (let i = 0; i < text.length; i++) {
    if (value.charCodeAt(at + i) !== text.charCodeAt(i) && !gaps.has(i)) return false;
  }
  return true;
}

function findPiece(piece: Piece, value: string, from: number): number {
  if (piece.gaps === undefined) return value.indexOf(piece.text, from);
  for (let at = from; at + piece.text.length <= value.length; at++) {
    if (fitsAt(piece, value, at)) return at;
  }
  return -1;
}

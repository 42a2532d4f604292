/**
 * The regular expressions of filter patterns, `%…%`. They have no groups, so an expression is a list of alternatives, each a row
 * of characters that repeat: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/regex-expressions.html
 */
import { invalidPattern, invalidTerm } from "./pattern-error.ts";

/** ASCII has a row each; everything else is one symbol, since patterns can only name ASCII. */
export const SYMBOLS = 129;
export const OTHER_SYMBOL = 128;

/** One character of the text. */
export interface Position {
  /** By symbol: 1 where it matches. */
  readonly set: Uint8Array;
  readonly isOptional: boolean;
  /** May match any number of further characters. */
  readonly repeats: boolean;
}

export interface Alternative {
  /** `^`: at the start of the text only. */
  readonly fromStart: boolean;
  /** `$`: at the end of the text only. */
  readonly toEnd: boolean;
  readonly positions: readonly Position[];
}

/** Chosen: what one expression may come to when `{m,n}` is written out. The work per character grows with it. */
const POSITIONS_MAX = 256;
const ALLOWED = /^[A-Za-z0-9:_#=@/;,\-^$?[\]{}|\\*+.]*$/;
const DIGITS = "0-9";
const SPACES = " \t\n\v\f\r";

/** Reads what stands between the percent signs. Throws InvalidParameterException. */
export function parseRegex(source: string): readonly Alternative[] {
  if (source === "" || !ALLOWED.test(source)) throw invalidTerm(`%${source}%`);
  const reader = new RegexReader(source);
  const alternatives = [reader.alternative()];
  while (reader.take("|")) alternatives.push(reader.alternative());
  if (!reader.isAtEnd) throw malformed(source);
  const count = alternatives.reduce((sum, { positions }) => sum + positions.length, 0);
  if (count > POSITIONS_MAX)
    throw invalidPattern(`the regular expression %${source}% is too large`);
  return alternatives;
}

function malformed(source: string): Error {
  return invalidPattern(`the regular expression %${source}% is malformed`);
}

class RegexReader {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#source.length;
  }

  take(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  alternative(): Alternative {
    const fromStart = this.take("^");
    const positions: Position[] = [];
    let toEnd = false;
    while (!this.isAtEnd && this.#peek() !== "|") {
      toEnd = this.take("$");
      if (toEnd) break;
      const set = this.#set();
      positions.push(...this.#repeated(set));
      if (positions.length > POSITIONS_MAX) break;
    }
    return { fromStart, toEnd, positions };
  }

  #peek(): string | undefined {
    return this.#source[this.#at];
  }

  #next(): string {
    const character = this.#source[this.#at++];
    if (character === undefined) throw malformed(this.#source);
    return character;
  }

  /** One character, or what stands for one. */
  #set(): Uint8Array {
    const character = this.#next();
    if (character === ".") return setOf("\n\r", true);
    if (character === "[") return this.#class();
    if (character === "\\") return this.#escape();
    if ("^*+?{}]".includes(character)) throw malformed(this.#source);
    return setOf(character);
  }

  #escape(): Uint8Array {
    const character = this.#next();
    const isNegated = /[DSW]/.test(character);
    switch (character.toLowerCase()) {
      case "d":
        return rangesOf([DIGITS], isNegated);
      case "w":
        return rangesOf(["a-z", "A-Z", DIGITS, "_-_"], isNegated);
      case "s":
        return setOf(SPACES, isNegated);
    }
    return setOf(this.#escapedCharacter(character));
  }

  #escapedCharacter(character: string): string {
    if (character === "x") {
      const hex = this.#next() + this.#next();
      const code = Number.parseInt(hex, 16);
      if (!/^[0-9a-f]{2}$/i.test(hex) || code > 127) throw malformed(this.#source);
      return String.fromCharCode(code);
    }
    const control = { n: "\n", r: "\r", t: "\t" }[character];
    if (control !== undefined) return control;
    if (/[A-Za-z0-9]/.test(character)) throw malformed(this.#source);
    return character;
  }

  /** `[abc]`, `[a-z]`, `[^…]`. */
  #class(): Uint8Array {
    const isNegated = this.take("^");
    const set = new Uint8Array(SYMBOLS);
    for (let isFirst = true; isFirst || this.#peek() !== "]"; isFirst = false) {
      const from = this.#classMember();
      if (typeof from !== "string") {
        for (let symbol = 0; symbol < SYMBOLS; symbol++) if (from[symbol]) set[symbol] = 1;
        continue;
      }
      const isRange = this.#peek() === "-" && this.#source[this.#at + 1] !== "]";
      if (isRange) this.#at++;
      const to = isRange ? this.#classMember() : from;
      if (typeof to !== "string" || to < from) throw malformed(this.#source);
      for (let code = from.charCodeAt(0); code <= to.charCodeAt(0); code++) set[code] = 1;
    }
    this.#at++;
    return isNegated ? set.map((bit) => 1 - bit) : set;
  }

  #classMember(): string | Uint8Array {
    const character = this.#next();
    if (character !== "\\") return character;
    return /[dDsSwW]/.test(this.#peek() ?? "")
      ? this.#escape()
      : this.#escapedCharacter(this.#next());
  }

  /** The set with the quantifier behind it, written out. */
  #repeated(set: Uint8Array): readonly Position[] {
    const [min, max] = this.#quantifier();
    const length = Math.min(Number.isFinite(max) ? max : Math.max(min, 1), POSITIONS_MAX + 1);
    return Array.from({ length }, (_, index) => ({
      set,
      isOptional: index >= min,
      repeats: !Number.isFinite(max) && index === length - 1,
    }));
  }

  #quantifier(): readonly [number, number] {
    if (this.take("*")) return [0, Number.POSITIVE_INFINITY];
    if (this.take("+")) return [1, Number.POSITIVE_INFINITY];
    if (this.take("?")) return [0, 1];
    if (!this.take("{")) return [1, 1];
    const end = this.#source.indexOf("}", this.#at);
    const [, from, comma, to] = /^(\d+)(,?)(\d*)$/.exec(this.#source.slice(this.#at, end)) ?? [];
    if (end < 0 || from === undefined) throw malformed(this.#source);
    this.#at = end + 1;
    const min = Number(from);
    const open = to === "" ? Number.POSITIVE_INFINITY : Number(to);
    const max = comma === "" ? min : open;
    if (max < min) throw malformed(this.#source);
    return [min, max];
  }
}

function setOf(characters: string, isNegated = false): Uint8Array {
  const set = new Uint8Array(SYMBOLS).fill(isNegated ? 1 : 0);
  for (const character of characters) set[character.charCodeAt(0)] = isNegated ? 0 : 1;
  return set;
}

/** Each range is `a-b`. */
function rangesOf(ranges: readonly string[], isNegated: boolean): Uint8Array {
  const set = new Uint8Array(SYMBOLS).fill(isNegated ? 1 : 0);
  for (const range of ranges) {
    for (let code = range.charCodeAt(0); code <= range.charCodeAt(2); code++) {
      set[code] = isNegated ? 0 : 1;
    }
  }
  return set;
}

import { invalidPattern, invalidTerm } from "./pattern-error.ts";

/** What a value is compared with: `word`, `"text"` or `%regex%`. */
export interface Operand {
  readonly kind: "word" | "text" | "regex";
  readonly text: string;
}

/** CloudWatch Logs: regular expressions in one pattern. */
const REGEXES_MAX = 2;

/** Reads the pieces of a filter pattern from left to right. */
export class Scanner {
  readonly #source: string;
  readonly #end: number;
  #at: number;
  #regexCount = 0;

  /** Between `start` and `end` of the source. */
  constructor(source: string, start = 0, end: number = source.length) {
    this.#source = source;
    this.#at = start;
    this.#end = end;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#end;
  }

  skipSpace(): void {
    while (!this.isAtEnd && /\s/.test(this.#source[this.#at] ?? "")) this.#at++;
  }

  /** Takes `text` if it comes next. */
  take(text: string): boolean {
    if (this.#at + text.length > this.#end || !this.#source.startsWith(text, this.#at))
      return false;
    this.#at += text.length;
    return true;
  }

  /** Takes what the sticky expression matches next; empty if nothing. */
  takeMatch(sticky: RegExp): string {
    sticky.lastIndex = this.#at;
    const text = sticky.exec(this.#source.slice(0, this.#end))?.[0] ?? "";
    this.#at += text.length;
    return text;
  }

  /** The first of `texts` that comes next. */
  takeOneOf<T extends string>(texts: readonly T[]): T | undefined {
    return texts.find((text) => this.take(text));
  }

  /** A quoted text, a regular expression, or a word of the characters that `word` (sticky) allows. */
  operand(word: RegExp): Operand {
    if (this.take('"')) return { kind: "text", text: this.#quoted() };
    if (this.take("%")) return { kind: "regex", text: this.#regex() };
    const text = this.takeMatch(word);
    if (text === "") throw invalidTerm(this.rest());
    return { kind: "word", text };
  }

  /** What comes next up to the next space, for error texts. */
  rest(): string {
    return /^\S*/.exec(this.#source.slice(this.#at, this.#end))?.[0] ?? "";
  }

  /** Behind the opening quote. A backslash takes the special meaning from a quote or backslash. */
  #quoted(): string {
    let text = "";
    while (!this.isAtEnd) {
      const character = this.#source[this.#at++] ?? "";
      if (character === '"') return text;
      const next = this.#source[this.#at];
      if (character === "\\" && (next === '"' || next === "\\")) {
        text += next;
        this.#at++;
      } else text += character;
    }
    throw invalidPattern("a quotation mark is not closed");
  }

  #regex(): string {
    const end = this.#source.indexOf("%", this.#at);
    if (end < 0 || end >= this.#end)
      throw invalidPattern("a regular expression is not closed by %");
    if (++this.#regexCount > REGEXES_MAX) {
      throw invalidPattern(`it has more than ${REGEXES_MAX} regular expressions`);
    }
    const text = this.#source.slice(this.#at, end);
    this.#at = end + 1;
    return text;
  }
}

/**
 * Regular expressions as RE2 and Go read them, as far as a yes or no needs it: no captures, no back-references, no look-around.
 * https://github.com/google/re2/wiki/Syntax
 */

/** Ranges of UTF-16 code units, both ends included, in order, apart from each other. */
export type CharacterSet = readonly (readonly [from: number, to: number])[];

export type RegexNode =
  | { readonly kind: "set"; readonly set: CharacterSet }
  | { readonly kind: "sequence" | "choice"; readonly parts: readonly RegexNode[] }
  | {
      readonly kind: "repeat";
      readonly part: RegexNode;
      readonly min: number;
      readonly max: number;
    }
  | { readonly kind: "assertion"; readonly assertion: Assertion };

export type Assertion = "start" | "end" | "boundary" | "noBoundary";

/** An expression cannot be read. The message quotes it. */
export class RegexSyntaxError extends Error {
  override readonly name = "RegexSyntaxError";
}

const UNIT_MAX = 0xffff;
/** RE2's own. */
const REPEAT_MAX = 1_000;
/** Chosen: reading recurses as deep. */
const DEPTH_MAX = 100;

const DIGITS: CharacterSet = [[0x30, 0x39]];
const UPPER: CharacterSet = [[0x41, 0x5a]];
const LOWER: CharacterSet = [[0x61, 0x7a]];
export const WORD_CHARACTERS: CharacterSet = [...DIGITS, ...UPPER, [0x5f, 0x5f], ...LOWER];
const SPACES = unitsOf("\t\n\f\r ");
const ESCAPED_SETS: Readonly<Record<string, CharacterSet>> = {
  d: DIGITS,
  w: WORD_CHARACTERS,
  s: SPACES,
};
const POSIX_SETS: Readonly<Record<string, CharacterSet>> = {
  alnum: [...DIGITS, ...UPPER, ...LOWER],
  alpha: [...UPPER, ...LOWER],
  blank: unitsOf("\t "),
  digit: DIGITS,
  lower: LOWER,
  punct: unitsOf("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
  space: unitsOf("\t\n\v\f\r "),
  upper: UPPER,
  word: WORD_CHARACTERS,
  xdigit: [...DIGITS, [0x41, 0x46], [0x61, 0x66]],
};
const CONTROLS: Readonly<Record<string, string>> = {
  a: "\x07",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};
const ASSERTIONS: Readonly<Record<string, Assertion>> = {
  A: "start",
  z: "end",
  b: "boundary",
  B: "noBoundary",
};

/** Throws {@link RegexSyntaxError}. */
export function parseRegex(source: string): RegexNode {
  const parser = new Parser(source);
  const node = parser.choice(0);
  if (!parser.isAtEnd) throw parser.error("a parenthesis is closed that is not open");
  return node;
}

class Parser {
  readonly #source: string;
  #at = 0;
  #ignoresCase = false;

  constructor(source: string) {
    this.#source = source;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#source.length;
  }

  error(what: string): RegexSyntaxError {
    return new RegexSyntaxError(`the regular expression ${this.#source} is malformed: ${what}`);
  }

  choice(depth: number): RegexNode {
    if (depth > DEPTH_MAX) throw this.error("it is nested too deeply");
    const parts = [this.#sequence(depth)];
    while (this.#take("|")) parts.push(this.#sequence(depth));
    return { kind: "choice", parts };
  }

  #sequence(depth: number): RegexNode {
    const parts: RegexNode[] = [];
    while (!this.isAtEnd && this.#peek() !== "|" && this.#peek() !== ")") {
      const atom = this.#atom(depth);
      if (atom !== undefined) parts.push(this.#repeated(atom));
    }
    return { kind: "sequence", parts };
  }

  #peek(): string {
    return this.#source[this.#at] ?? "";
  }

  #take(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #takeMatch(sticky: RegExp): RegExpExecArray | undefined {
    sticky.lastIndex = this.#at;
    const match = sticky.exec(this.#source);
    this.#at += match?.[0].length ?? 0;
    return match ?? undefined;
  }

  /** Undefined for flags, which match nothing by themselves. */
  #atom(depth: number): RegexNode | undefined {
    const character = this.#source[this.#at++] ?? "";
    switch (character) {
      case "(":
        return this.#group(depth);
      case "[":
        return { kind: "set", set: this.#class() };
      case ".":
        return { kind: "set", set: complement(unitsOf("\n")) };
      case "^":
        return { kind: "assertion", assertion: "start" };
      case "$":
        return { kind: "assertion", assertion: "end" };
      case "\\":
        return this.#escaped();
      case "*":
      case "+":
      case "?":
        throw this.error(`${character} repeats nothing`);
    }
    return this.#setNode(unitsOf(character));
  }

  #group(depth: number): RegexNode | undefined {
    const outer = this.#ignoresCase;
    if (this.#take("?") && !this.#takeMatch(/P?<\w+>/y)) {
      const flags = this.#takeMatch(/(i?)(-i)?([:)])/y);
      if (flags === undefined) throw this.error("only (?:…), (?i) and named groups are known");
      if (flags[1]) this.#ignoresCase = true;
      if (flags[2]) this.#ignoresCase = false;
      if (flags[3] === ")") return undefined;
    }
    const node = this.choice(depth + 1);
    if (!this.#take(")")) throw this.error("a parenthesis is not closed");
    this.#ignoresCase = outer;
    return node;
  }

  #setNode(set: CharacterSet): RegexNode {
    return { kind: "set", set: this.#ignoresCase ? withBothCases(set) : set };
  }

  #escaped(): RegexNode {
    const assertion = ASSERTIONS[this.#peek()];
    if (assertion === undefined) return this.#setNode(this.#escapedSet());
    this.#at++;
    return { kind: "assertion", assertion };
  }

  /** Behind the backslash. */
  #escapedSet(): CharacterSet {
    const letter = this.#peek();
    const named = ESCAPED_SETS[letter.toLowerCase()];
    if (named === undefined) return unitsOf(this.#escapedCharacter());
    this.#at++;
    return letter === letter.toLowerCase() ? named : complement(named);
  }

  #escapedCharacter(): string {
    const character = this.#source[this.#at++];
    if (character === undefined) throw this.error("a backslash stands at its end");
    if (character === "x") {
      const [, short, long] = this.#takeMatch(/([0-9a-f]{2})|\{([0-9a-f]{1,4})\}/iy) ?? [];
      const hex = short ?? long;
      if (hex === undefined) throw this.error("\\x needs two hexadecimal digits");
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    const control = CONTROLS[character];
    if (control !== undefined) return control;
    if (/[A-Za-z0-9]/.test(character)) throw this.error(`\\${character} has no meaning`);
    return character;
  }

  /** Behind the opening bracket. */
  #class(): CharacterSet {
    const isNegated = this.#take("^");
    const ranges: (readonly [number, number])[] = [];
    for (let isFirst = true; isFirst || this.#peek() !== "]"; isFirst = false) {
      if (this.isAtEnd) throw this.error("a bracket is not closed");
      const posix = this.#takeMatch(/\[:(\w+):\]/y)?.[1];
      if (posix !== undefined) {
        const set = POSIX_SETS[posix];
        if (set === undefined) throw this.error(`[:${posix}:] is not known`);
        ranges.push(...set);
      } else ranges.push(...this.#classRange());
    }
    this.#at++;
    const set = this.#ignoresCase ? withBothCases(ranges) : normalize(ranges);
    return isNegated ? complement(set) : set;
  }

  #classRange(): CharacterSet {
    const from = this.#classMember();
    const isRange = this.#peek() === "-" && this.#source[this.#at + 1] !== "]";
    const [[first, last] = [0, 0]] = from;
    if (!isRange || from.length > 1 || first !== last) return from;
    this.#at++;
    const to = this.#classMember();
    const [[end, endTo] = [0, 0]] = to;
    if (to.length > 1 || end !== endTo || end < first) throw this.error("a range has no order");
    return [[first, end]];
  }

  #classMember(): CharacterSet {
    const character = this.#source[this.#at++] ?? "";
    if (character === "\\") return this.#escapedSet();
    if (/[\ud800-\udfff]/.test(character)) {
      throw this.error("a bracket holds a character outside the Basic Multilingual Plane");
    }
    return unitsOf(character);
  }

  #repeated(part: RegexNode): RegexNode {
    const quantifier = this.#quantifier();
    if (quantifier === undefined) return part;
    const [min, max] = quantifier;
    if (max < min || min > REPEAT_MAX || (Number.isFinite(max) && max > REPEAT_MAX)) {
      throw this.error(`it repeats {${min},${max}} times`);
    }
    // Lazy or not makes no difference to whether there is a match.
    this.#take("?");
    if (this.#quantifier() !== undefined) throw this.error("a repetition is repeated");
    return { kind: "repeat", part, min, max };
  }

  #quantifier(): readonly [min: number, max: number] | undefined {
    if (this.#take("*")) return [0, Number.POSITIVE_INFINITY];
    if (this.#take("+")) return [1, Number.POSITIVE_INFINITY];
    if (this.#take("?")) return [0, 1];
    const [, from, comma, to] = this.#takeMatch(/\{(\d{1,6})(,?)(\d{0,6})\}/y) ?? [];
    if (from === undefined) return undefined;
    if (comma === "") return [Number(from + to), Number(from + to)];
    return [Number(from), to === "" ? Number.POSITIVE_INFINITY : Number(to)];
  }
}

function unitsOf(characters: string): CharacterSet {
  return normalize(
    Array.from({ length: characters.length }, (_, i) => {
      const unit = characters.charCodeAt(i);
      return [unit, unit] as const;
    }),
  );
}

function normalize(ranges: CharacterSet): CharacterSet {
  const merged: [number, number][] = [];
  for (const [from, to] of ranges.toSorted(([a], [b]) => a - b)) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

function complement(set: CharacterSet): CharacterSet {
  const gaps: [number, number][] = [];
  let next = 0;
  for (const [from, to] of set) {
    if (from > next) gaps.push([next, from - 1]);
    next = to + 1;
  }
  if (next <= UNIT_MAX) gaps.push([next, UNIT_MAX]);
  return gaps;
}

/** Of ASCII letters. */
function withBothCases(set: CharacterSet): CharacterSet {
  const others = set.flatMap(([from, to]) =>
    [[0x41, 0x5a, 0x20] as const, [0x61, 0x7a, -0x20] as const].flatMap(([first, last, shift]) => {
      const [start, end] = [Math.max(from, first), Math.min(to, last)];
      return start <= end ? [[start + shift, end + shift] as const] : [];
    }),
  );
  return normalize([...set, ...others]);
}

import {
  type Assertion,
  type CharacterSet,
  parseRegex,
  type RegexNode,
  RegexSyntaxError,
  WORD_CHARACTERS,
} from "./regex-syntax.ts";

/** Chosen: steps an expression may come to with its repetitions written out. The worst case for each character grows with it. */
const STEPS_MAX = 300;
/** Chosen: some expressions have more states than can be kept; then the memory of them begins anew. */
const STATES_MAX = 1_000;

type Step =
  | { readonly kind: "set"; readonly set: CharacterSet; readonly next: number }
  | { readonly kind: "split"; next: readonly number[] }
  | { readonly kind: "assertion"; readonly assertion: Assertion; readonly next: number }
  | { readonly kind: "match" };

/** What stands on one side of a place between two characters. */
type Side = "edge" | "word" | "other";

interface State {
  /** Where matches may go on, in ascending order. */
  readonly steps: readonly number[];
  readonly before: Side;
  /** By class of the next character, as far as it was needed; `null`: there is a match before that character. */
  readonly next: (State | null | undefined)[];
  /** Whether there is a match if the text ends. */
  matchesAtEnd?: boolean;
}

/**
 * A regular expression that looks at each character once, whatever the expression: all ways to match are followed at the same
 * time (a lazily built automaton). So neither users' patterns nor users' texts can hold up the process they share.
 */
export class LinearRegex {
  readonly #steps: Step[] = [];
  readonly #first: number;
  readonly #alphabet: Alphabet;
  #states = new Map<string, State>();
  readonly #start: State;

  /** Throws {@link RegexSyntaxError}. */
  constructor(source: string) {
    const root = parseRegex(source);
    const compiler = new Compiler(source, this.#steps);
    this.#first = compiler.compile(root, compiler.add({ kind: "match" }));
    this.#alphabet = new Alphabet(
      this.#steps.flatMap((step) => (step.kind === "set" ? [step.set] : [])),
    );
    this.#start = this.#state([], "edge");
  }

  /** Whether the text holds a match. */
  test(text: string): boolean {
    let state = this.#start;
    for (let at = 0; at < text.length; at++) {
      const symbol = this.#alphabet.classOf(text.charCodeAt(at));
      const next = state.next[symbol];
      const reached = next === undefined ? this.#follow(state, symbol) : next;
      if (reached === null) return true;
      state = reached;
    }
    state.matchesAtEnd ??= this.#closure(state, "edge") === undefined;
    return state.matchesAtEnd;
  }

  #follow(state: State, symbol: number): State | null {
    const side = this.#alphabet.isWord(symbol) ? "word" : "other";
    const closure = this.#closure(state, side);
    const next = closure === undefined ? null : this.#state(this.#advance(closure, symbol), side);
    state.next[symbol] = next;
    return next;
  }

  #advance(closure: Iterable<number>, symbol: number): readonly number[] {
    const unit = this.#alphabet.exampleOf(symbol);
    const reached = new Set<number>();
    for (const index of closure) {
      const step = this.#steps[index];
      if (step?.kind === "set" && isIn(step.set, unit)) reached.add(step.next);
    }
    return [...reached].sort((a, b) => a - b);
  }

  /** Everything that can be reached before the next character, which `after` describes; undefined when that is a match. */
  #closure({ steps, before }: State, after: Side): ReadonlySet<number> | undefined {
    // A match may begin anywhere.
    const reached = new Set([...steps, this.#first]);
    // Sets are walked in order of insertion, additions included.
    for (const index of reached) {
      const step = this.#steps[index];
      if (step?.kind === "match") return undefined;
      if (step?.kind === "split") for (const next of step.next) reached.add(next);
      if (step?.kind === "assertion" && holds(step.assertion, before, after))
        reached.add(step.next);
    }
    return reached;
  }

  #state(steps: readonly number[], before: Side): State {
    const key = `${before} ${steps.join()}`;
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    const state: State = { steps, before, next: [] };
    if (this.#states.size >= STATES_MAX) {
      this.#states = new Map();
      this.#start.next.length = 0;
    }
    this.#states.set(key, state);
    return state;
  }
}

function holds(assertion: Assertion, before: Side, after: Side): boolean {
  if (assertion === "start") return before === "edge";
  if (assertion === "end") return after === "edge";
  const isBoundary = (before === "word") !== (after === "word");
  return isBoundary === (assertion === "boundary");
}

/** Writes an expression out as steps, from its end to its beginning. */
class Compiler {
  readonly #source: string;
  readonly #steps: Step[];

  constructor(source: string, steps: Step[]) {
    this.#source = source;
    this.#steps = steps;
  }

  add(step: Step): number {
    if (this.#steps.length >= STEPS_MAX) {
      throw new RegexSyntaxError(`the regular expression ${this.#source} is too large`);
    }
    return this.#steps.push(step) - 1;
  }

  /** The step at which `node` begins, when `next` follows it. */
  compile(node: RegexNode, next: number): number {
    switch (node.kind) {
      case "set":
        return this.add({ kind: "set", set: node.set, next });
      case "assertion":
        return this.add({ kind: "assertion", assertion: node.assertion, next });
      case "choice":
        return this.add({
          kind: "split",
          next: node.parts.map((part) => this.compile(part, next)),
        });
      case "sequence":
        return node.parts.reduceRight((after, part) => this.compile(part, after), next);
      case "repeat":
        return this.#repeat(node, next);
    }
  }

  #repeat({ part, min, max }: RegexNode & { kind: "repeat" }, next: number): number {
    let start = next;
    if (Number.isFinite(max)) {
      for (let i = min; i < max; i++) {
        start = this.add({ kind: "split", next: [this.compile(part, start), next] });
      }
    } else {
      const loop: Step = { kind: "split", next: [] };
      start = this.add(loop);
      loop.next = [this.compile(part, start), next];
    }
    for (let i = 0; i < min; i++) start = this.compile(part, start);
    return start;
  }
}

/** Classes of characters that no set of an expression tells apart. */
class Alphabet {
  /** Where each class begins, in ascending order; the first is 0. */
  readonly #starts: readonly number[];
  readonly #ascii: readonly number[];

  constructor(sets: readonly CharacterSet[]) {
    const edges = [...sets, WORD_CHARACTERS].flatMap((set) =>
      set.flatMap(([from, to]) => [from, to + 1]),
    );
    this.#starts = [...new Set([0, ...edges])].sort((a, b) => a - b);
    this.#ascii = Array.from({ length: 128 }, (_, unit) => this.#search(unit));
  }

  classOf(unit: number): number {
    return this.#ascii[unit] ?? this.#search(unit);
  }

  exampleOf(symbol: number): number {
    return this.#starts[symbol] ?? 0;
  }

  isWord(symbol: number): boolean {
    return isIn(WORD_CHARACTERS, this.exampleOf(symbol));
  }

  /** The last class that begins at or before `unit`. */
  #search(unit: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#starts[middle] ?? 0) <= unit) low = middle;
      else high = middle;
    }
    return low;
  }
}

function isIn(set: CharacterSet, unit: number): boolean {
  return set.some(([from, to]) => unit >= from && unit <= to);
}

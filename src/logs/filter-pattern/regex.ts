import { OTHER_SYMBOL, type Position, parseRegex, SYMBOLS } from "./regex-syntax.ts";

/** Chosen: some expressions have more states than can be kept; then the memory of them begins anew. */
const STATES_MAX = 1_000;

/** Where a match may go on: before one position of one alternative, or behind the last. */
interface Place {
  /** Undefined behind the last. */
  readonly position: Position | undefined;
  readonly toEnd: boolean;
}

interface State {
  /** Ascending indices of places. */
  readonly places: readonly number[];
  /** A match ends here, wherever the text goes on. */
  readonly matches: boolean;
  /** A match ends here if the text does. */
  readonly matchesAtEnd: boolean;
  /** By symbol, as far as it was needed. */
  readonly next: (State | undefined)[];
}

/**
 * A regular expression that looks at each character once, whatever the expression: all ways to match are followed at the same
 * time (a lazily built automaton), so that no pattern can hold up whoever runs it.
 */
export class LinearRegex {
  readonly #places: Place[] = [];
  /** Places from which a match may begin: at the start of the text, and anywhere. */
  readonly #starts: number[] = [];
  readonly #restarts: number[] = [];
  #states = new Map<string, State>();
  #start: State;

  /** Throws InvalidParameterException for what is not an expression of this language. */
  constructor(source: string) {
    for (const { fromStart, toEnd, positions } of parseRegex(source)) {
      this.#starts.push(this.#places.length);
      if (!fromStart) this.#restarts.push(this.#places.length);
      for (const position of positions) this.#places.push({ position, toEnd });
      this.#places.push({ position: undefined, toEnd });
    }
    this.#start = this.#state(new Set(this.#starts));
  }

  /** Whether the text holds a match. */
  test(text: string): boolean {
    let state = this.#start;
    for (let at = 0; at < text.length; at++) {
      if (state.matches) return true;
      const code = text.charCodeAt(at);
      const symbol = Math.min(code, OTHER_SYMBOL);
      state = state.next[symbol] ?? this.#step(state, symbol);
    }
    return state.matches || state.matchesAtEnd;
  }

  #step(state: State, symbol: number): State {
    const reached = new Set(this.#restarts);
    for (const index of state.places) {
      const position = this.#places[index]?.position;
      if (position?.set[symbol] !== 1) continue;
      reached.add(index + 1);
      if (position.repeats) reached.add(index);
    }
    const next = this.#state(reached);
    state.next[symbol] = next;
    return next;
  }

  #state(reached: Set<number>): State {
    // An optional position may be passed over. Sets are walked in order of insertion, additions included.
    for (const index of reached)
      if (this.#places[index]?.position?.isOptional) reached.add(index + 1);
    const places = [...reached].sort((a, b) => a - b);
    const key = places.join();
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    const ends = places
      .flatMap((index) => this.#places[index] ?? [])
      .filter((one) => !one.position);
    const state: State = {
      places,
      matches: ends.some(({ toEnd }) => !toEnd),
      matchesAtEnd: ends.length > 0,
      next: new Array<State | undefined>(SYMBOLS).fill(undefined),
    };
    if (this.#states.size >= STATES_MAX) this.#forget();
    this.#states.set(key, state);
    return state;
  }

  #forget(): void {
    this.#states = new Map();
    this.#start.next.fill(undefined);
  }
}

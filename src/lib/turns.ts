/** Order and limits of concurrent work: one thing at a time for each key, and no more than a number of things in all. */

/** Work on the same key runs one after the other, in the order of asking; different keys run side by side. */
export class KeyedTurns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs `work` after everything asked for before under `key`, whatever came of that. */
  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(key) ?? Promise.resolve()).then(work);
    const settled = turn.catch(() => undefined);
    this.#last.set(key, settled);
    try {
      return await turn;
    } finally {
      if (this.#last.get(key) === settled) this.#last.delete(key);
    }
  }

  /** Resolves when nothing that was asked for by now is left. */
  async idle(): Promise<void> {
    await Promise.all(this.#last.values());
  }
}

/** At most `count` pieces of work at once; the others wait in line. */
export class Permits {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Pieces of work in line. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Runs `work` when a permit is free. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}

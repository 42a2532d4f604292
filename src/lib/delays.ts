/** Keys that become due at a time; the earliest time given for a key counts. A binary heap with lazy deletion. */
export class Delays {
  readonly #dueAtOf = new Map<string, number>();
  /** Min-heap by `dueAt`. An entry that {@link #dueAtOf} does not confirm is stale and skipped. */
  readonly #heap: Entry[] = [];

  get size(): number {
    return this.#dueAtOf.size;
  }

  /** Epoch milliseconds of the earliest key, if there is any. */
  get nextDueAt(): number | undefined {
    return this.#first()?.dueAt;
  }

  /** Keeps the earlier time if the key waits already. */
  add(key: string, dueAt: number): void {
    const existing = this.#dueAtOf.get(key);
    if (existing !== undefined && existing <= dueAt) return;
    this.#dueAtOf.set(key, dueAt);
    this.#heap.push({ key, dueAt });
    this.#rise(this.#heap.length - 1);
  }

  delete(key: string): void {
    this.#dueAtOf.delete(key);
  }

  /** Takes out the earliest key that is due at `now`. */
  takeDue(now: number): string | undefined {
    const first = this.#first();
    if (first === undefined || first.dueAt > now) return undefined;
    this.#removeFirst();
    this.#dueAtOf.delete(first.key);
    return first.key;
  }

  #first(): Entry | undefined {
    let first = this.#heap[0];
    while (first !== undefined && this.#dueAtOf.get(first.key) !== first.dueAt) {
      this.#removeFirst();
      first = this.#heap[0];
    }
    return first;
  }

  #removeFirst(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #rise(from: number): void {
    let at = from;
    while (at > 0 && this.#swapIfLater((at - 1) >>> 1, at)) at = (at - 1) >>> 1;
  }

  #sink(from: number): void {
    let at = from;
    for (;;) {
      const left = 2 * at + 1;
      const smaller = this.#dueAt(left + 1) < this.#dueAt(left) ? left + 1 : left;
      if (!this.#swapIfLater(at, smaller)) return;
      at = smaller;
    }
  }

  /** Swaps if the entry at `upper` is later than the one at `lower`. */
  #swapIfLater(upper: number, lower: number): boolean {
    const above = this.#heap[upper];
    const below = this.#heap[lower];
    if (above === undefined || below === undefined || above.dueAt <= below.dueAt) return false;
    this.#heap[upper] = below;
    this.#heap[lower] = above;
    return true;
  }

  #dueAt(at: number): number {
    return this.#heap[at]?.dueAt ?? Number.POSITIVE_INFINITY;
  }
}

interface Entry {
  readonly key: string;
  readonly dueAt: number;
}

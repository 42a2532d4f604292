import type { Board, Tier } from "./board.ts";

/** Where the tasks of a request's group run, those included that the request itself has placed. */
export class GroupCounts {
  readonly #board: Board;
  readonly #before: ReadonlyMap<number, number>;
  /** By row. */
  readonly #added = new Map<number, number>();
  /** By attribute, by value. */
  readonly #byValue = new Map<string, Map<string, number>>();
  #rowsByTier: ReadonlyMap<Tier, readonly number[]> | undefined;

  constructor(board: Board, group: string) {
    this.#board = board;
    this.#before = board.groupRows(group);
  }

  /** A task of the group goes to a row. */
  add(row: number): void {
    this.#added.set(row, (this.#added.get(row) ?? 0) + 1);
    for (const [attribute, counts] of this.#byValue) this.#count(counts, attribute, row, 1);
  }

  of(row: number): number {
    return (this.#before.get(row) ?? 0) + (this.#added.get(row) ?? 0);
  }

  /** The rows of one of the board's tiers that had tasks of the group before the request came. */
  rowsIn(tier: Tier): readonly number[] {
    if (this.#rowsByTier === undefined) {
      const byTier = new Map<Tier, number[]>();
      for (const row of this.#before.keys()) {
        const home = this.#board.tierOf(row);
        const rows = home && byTier.get(home);
        if (rows) rows.push(row);
        else if (home) byTier.set(home, [row]);
      }
      this.#rowsByTier = byTier;
    }
    return this.#rowsByTier.get(tier) ?? NO_ROWS;
  }

  /** How many there are under each value of an attribute. */
  byValue(attribute: string): ReadonlyMap<string, number> {
    let counts = this.#byValue.get(attribute);
    if (counts === undefined) {
      counts = new Map();
      for (const rows of [this.#before, this.#added]) {
        for (const [row, count] of rows) this.#count(counts, attribute, row, count);
      }
      this.#byValue.set(attribute, counts);
    }
    return counts;
  }

  #count(counts: Map<string, number>, attribute: string, row: number, count: number): void {
    const value = this.#board.kinds.valueOf(this.#board.tierOf(row)?.kind ?? 0, attribute);
    counts.set(value, (counts.get(value) ?? 0) + count);
  }
}

const NO_ROWS: readonly number[] = [];

import { JOURNAL_LOAD_ROWS } from "../lib/limits.ts";
import type { Generation, StoredRow } from "./sqlite-generation.ts";
import { HEAD_BYTES, type LivePage } from "./sqlite-protocol.ts";

/** Reads the records out of a journal, backwards: the first row met of a key is the live one, the others are history. */
export class LiveRows {
  readonly #generation: Generation;
  readonly #seen = new Set<string>();
  #beforeId = Number.MAX_SAFE_INTEGER;
  #rowsRead = 0;

  constructor(generation: Generation) {
    this.#generation = generation;
  }

  /** Rows read so far, dead ones included. */
  get rowsRead(): number {
    return this.#rowsRead;
  }

  /** Some records, maybe none; undefined at the end. Throws DamagedError. */
  nextPage(): LivePage | undefined {
    const rows = this.#generation.rowsBefore(this.#beforeId, JOURNAL_LOAD_ROWS);
    const last = rows.at(-1);
    if (last === undefined) return undefined;
    this.#beforeId = last.id;
    this.#rowsRead += rows.length;
    const live = rows.filter(({ key }) => !this.#seen.has(key) && this.#seen.add(key));
    return packed(live.filter(({ text }) => text !== undefined));
  }
}

function packed(rows: readonly StoredRow[]): LivePage {
  // Its own memory, which changes hands; small pieces would come from a pool.
  const heads = Buffer.allocUnsafeSlow(rows.length * HEAD_BYTES);
  const ends = new Uint32Array(rows.length);
  let end = 0;
  rows.forEach(({ text = "" }, i) => {
    end += heads.write(text, end, HEAD_BYTES, "utf8");
    ends[i] = end;
  });
  return {
    keys: rows.map(({ key }) => key),
    revisions: Float64Array.from(rows, ({ revision }) => revision),
    ids: Float64Array.from(rows, ({ id }) => id),
    heads,
    ends,
  };
}

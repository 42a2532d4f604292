import { JOURNAL_LOAD_ROWS } from "../lib/limits.ts";
import type { Generation, StoredRow } from "./sqlite-generation.ts";
import { HEAD_BYTES, type RecordPage } from "./sqlite-protocol.ts";

/**
 * Reads the records out of a journal, backwards: the first met of a key is the live one, the others are history. Who takes them
 * has to keep them by key anyway, and leaves out what it already has: that spares a second table of all keys.
 */
export class JournalReader {
  readonly #generation: Generation;
  /** Keys of which a row says that they were deleted: what comes after it, which is older, is not passed on. */
  readonly #deleted = new Set<string>();
  #beforeId = Number.MAX_SAFE_INTEGER;
  #rowsRead = 0;

  constructor(generation: Generation) {
    this.#generation = generation;
  }

  /** Rows read so far, dead ones included. */
  get rowsRead(): number {
    return this.#rowsRead;
  }

  /** Some records, newest first, maybe none; undefined at the end. Throws DamagedError. */
  nextPage(): RecordPage | undefined {
    const rows = this.#generation.rowsBefore(this.#beforeId, JOURNAL_LOAD_ROWS);
    const last = rows.at(-1);
    if (last === undefined) return undefined;
    this.#beforeId = last.id;
    this.#rowsRead += rows.length;
    return packed(rows.filter((row) => this.#isRecord(row)));
  }

  #isRecord({ key, text }: StoredRow): boolean {
    if (text === undefined) this.#deleted.add(key);
    return this.#deleted.size === 0 || !this.#deleted.has(key);
  }
}

function packed(rows: readonly StoredRow[]): RecordPage {
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

import { JOURNAL_LOAD_ROWS } from "../lib/limits.ts";
import type { JournalRow } from "./journal.ts";
import type { Generation } from "./sqlite-generation.ts";
import type { LivePage } from "./sqlite-protocol.ts";

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

function packed(rows: readonly JournalRow[]): LivePage {
  const size = rows.reduce((sum, { text = "" }) => sum + Buffer.byteLength(text), 0);
  const texts = new Uint8Array(size);
  const bytes = Buffer.from(texts.buffer);
  const ends = new Uint32Array(rows.length);
  let end = 0;
  rows.forEach(({ text = "" }, i) => {
    end += bytes.write(text, end, "utf8");
    ends[i] = end;
  });
  const keys = rows.map(({ key }) => key);
  return { keys, revisions: Float64Array.from(rows, ({ revision }) => revision), texts, ends };
}

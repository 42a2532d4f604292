import { JOURNAL_LOAD_ROWS } from "../lib/limits.ts";
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
    const keys: string[] = [];
    const revisions: number[] = [];
    const texts: string[] = [];
    for (const { key, revision, text } of rows) {
      if (this.#seen.has(key)) continue;
      this.#seen.add(key);
      if (text === undefined) continue;
      keys.push(key);
      revisions.push(revision);
      texts.push(text);
    }
    return { keys, revisions, texts };
  }
}

import { closeSync, openSync } from "node:fs";
import type { StatementSync } from "node:sqlite";
import { JOURNAL_REWRITE_SLICE_ROWS } from "../lib/limits.ts";
import { type Generation, prepareFormat } from "./sqlite-generation.ts";

/**
 * Copies the live rows of a journal into a new file, a slice at a time, while appends to the old one go on.
 *
 * First it reads keys backwards from the newest row: the first row met of a key is the live one. Then it copies the
 * live rows forwards, and then whatever was appended meanwhile, until nothing is left. The new file means nothing
 * until the caller renames it, so a crash at any point leaves the old one in force.
 */
export class Rewrite {
  readonly path: string;
  readonly #source: Generation;
  readonly #scan: StatementSync;
  readonly #copy: StatementSync;
  readonly #copyTail: StatementSync;
  readonly #newestId: number;
  #scannedId: number;
  /** Every row up to here is in the new file, if it was live when the rewrite began. */
  #copiedId: number;
  #seen = new Set<string>();
  /** Ids to copy, newest first: taken from the end. */
  readonly #live: number[] = [];
  #rows = 0;

  constructor(source: Generation, path: string) {
    this.path = path;
    this.#source = source;
    this.#newestId = source.lastId;
    this.#scannedId = source.lastId + 1;
    this.#copiedId = source.lastId;
    closeSync(openSync(path, "wx", 0o600));
    const { database } = source;
    database.prepare("ATTACH ? AS next").run(path);
    prepareFormat(database, "next");
    // No journal of its own: a half-written file is thrown away. Each slice is synced, so that the end has little to do.
    database.exec("PRAGMA next.journal_mode = OFF; PRAGMA next.synchronous = FULL");
    this.#scan = database.prepare(
      "SELECT id, key, document IS NULL AS deleted FROM main.journal WHERE id < ? ORDER BY id DESC LIMIT ?",
    );
    this.#copy = database.prepare(
      "INSERT INTO next.journal SELECT * FROM main.journal WHERE id = ?",
    );
    this.#copyTail = database.prepare(
      "INSERT INTO next.journal SELECT * FROM main.journal WHERE id > ? ORDER BY id LIMIT ?",
    );
  }

  /** Rows in the new file so far. */
  get rows(): number {
    return this.#rows;
  }

  /** Does one slice of the work. True when the new file has everything, and nothing may be appended before the switch. */
  step(): boolean {
    if (this.#scannedId > 1 && !this.#scanSlice()) return false;
    if (this.#live.length > 0) this.#transaction(() => this.#copySlice());
    else this.#transaction(() => this.#copyTailSlice());
    return this.#live.length === 0 && this.#copiedId === this.#source.lastId;
  }

  /** Lets go of the new file. The source goes on. */
  detach(): void {
    this.#source.database.exec("DETACH next");
  }

  /** Whether the scan is complete. Keys alone are quick to read: several slices' worth at a time. */
  #scanSlice(): boolean {
    const rows = this.#scan.all(this.#scannedId, JOURNAL_REWRITE_SLICE_ROWS * 4);
    for (const row of rows) {
      const id = Number(row.id);
      const key = String(row.key);
      this.#scannedId = id;
      if (this.#seen.has(key)) continue;
      this.#seen.add(key);
      // A deletion leaves nothing behind, except the newest row: it carries the revision.
      if (row.deleted === 0 || id === this.#newestId) this.#live.push(id);
    }
    if (rows.length > 0) return false;
    this.#scannedId = 0;
    this.#seen = new Set();
    return true;
  }

  #copySlice(): void {
    for (let i = 0; i < JOURNAL_REWRITE_SLICE_ROWS; i++) {
      const id = this.#live.pop();
      if (id === undefined) return;
      this.#copy.run(id);
      this.#rows++;
    }
  }

  #copyTailSlice(): void {
    const { changes } = this.#copyTail.run(this.#copiedId, JOURNAL_REWRITE_SLICE_ROWS * 4);
    this.#rows += Number(changes);
    // Ids of appended rows have no gaps.
    this.#copiedId += Number(changes);
  }

  #transaction(work: () => void): void {
    const { database } = this.#source;
    database.exec("BEGIN");
    try {
      work();
      database.exec("COMMIT");
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      throw error;
    }
  }
}

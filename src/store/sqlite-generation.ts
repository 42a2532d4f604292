import { closeSync, openSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { SetupError } from "../lib/errors.ts";
import type { JournalRow } from "./journal.ts";
import type { Revision } from "./store.ts";

/** `GNTY`: lets `file` and a wrong path be told apart. */
const APPLICATION_ID = 0x474e5459;
const FORMAT_VERSION = 2;

/** A row is not what was written. */
export class DamagedError extends Error {}

export type StoredRow = JournalRow & { readonly id: number };

/**
 * One file of the journal: every write in the order of its commit, as rows of JSON text.
 *
 * Rows are only ever appended, and there is no index beside the row id: one more index, or deleting superseded rows
 * in place, costs a factor of 4 to 7 (measured). Live rows move to a new generation instead; see `sqlite-rewrite.ts`.
 */
export class Generation {
  readonly path: string;
  readonly database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #page: StatementSync;
  #lastId: number;

  /** Opens an existing file. Throws what SQLite throws, and SetupError for a file that is not ours. */
  constructor(path: string) {
    this.path = path;
    this.database = new DatabaseSync(path, { timeout: 0 });
    try {
      // Before anything that writes: what is not ours stays as it is.
      assertFormat(this.database, path);
      // Small checkpoints: appended pages are written once however often, and a commit waits less behind one.
      this.database.exec(`
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = FULL;
        PRAGMA wal_autocheckpoint = 512;
        PRAGMA journal_size_limit = 16777216;
      `);
      this.#insert = this.database.prepare(
        "INSERT INTO journal (id, revision, key, document, checksum) VALUES (?, ?, ?, ?, ?)",
      );
      this.#page = this.database.prepare(
        "SELECT id, revision, key, document, checksum FROM journal WHERE id < ? ORDER BY id DESC LIMIT ?",
      );
      // Arrays are read in three quarters of the time of objects.
      this.#page.setReturnArrays(true);
      this.#lastId = lastIdOf(this.database);
    } catch (error) {
      this.database.close();
      throw error;
    }
  }

  /** Creates an empty file, readable by its owner only. */
  static create(path: string): void {
    closeSync(openSync(path, "wx", 0o600));
    const database = new DatabaseSync(path);
    try {
      prepareFormat(database, "main");
    } finally {
      database.close();
    }
  }

  /** Of the last transaction. */
  get revision(): Revision {
    const row = this.database
      .prepare("SELECT revision FROM journal ORDER BY id DESC LIMIT 1")
      .get();
    return Number(row?.revision ?? 0);
  }

  get lastId(): number {
    return this.#lastId;
  }

  /** Durable when it returns; without effect when it throws. */
  append(rows: readonly JournalRow[]): void {
    this.database.exec("BEGIN IMMEDIATE");
    try {
      let id = this.#lastId;
      for (const row of rows) {
        const { revision, key, text } = row;
        this.#insert.run(++id, revision, key, text ?? null, checksumOf(row));
      }
      this.database.exec("COMMIT");
      this.#lastId = id;
    } catch (error) {
      if (this.database.isTransaction) this.database.exec("ROLLBACK");
      throw error;
    }
  }

  /** Up to `count` rows below id `beforeId`, newest first. Throws DamagedError. */
  rowsBefore(beforeId: number, count: number): readonly StoredRow[] {
    return this.#page.all(beforeId, count).map((columns) => {
      const [id, revision, key, document, checksum] = columns as unknown as PageColumns;
      const row = { id, revision, key, text: document ?? undefined };
      if (checksumOf(row) !== checksum) {
        throw new DamagedError(`the checksum of row ${id} is not that of its content`);
      }
      return row;
    });
  }

  /** Removes what an append may have left that was reported as failed. */
  truncateAfter(id: number): void {
    this.database.prepare("DELETE FROM journal WHERE id > ?").run(id);
    this.#lastId = lastIdOf(this.database);
  }

  /** Does nothing when it is closed. */
  close(): void {
    if (this.database.isOpen) this.database.close();
  }
}

/** Lays out an empty database, attached under `schema`. 16 KiB pages: half the bytes per record of 4 KiB ones. */
export function prepareFormat(database: DatabaseSync, schema: "main" | "next"): void {
  database.exec(`
    PRAGMA ${schema}.page_size = 16384;
    PRAGMA ${schema}.application_id = ${APPLICATION_ID};
    PRAGMA ${schema}.user_version = ${FORMAT_VERSION};
    CREATE TABLE ${schema}.journal (
      id INTEGER PRIMARY KEY,
      revision INTEGER NOT NULL,
      key TEXT NOT NULL,
      document TEXT,
      checksum INTEGER NOT NULL
    ) STRICT;
  `);
}

function assertFormat(database: DatabaseSync, path: string): void {
  const application = pragma(database, "application_id");
  const version = pragma(database, "user_version");
  if (application !== APPLICATION_ID) throw new SetupError(`${path} is not a state file of Gantry`);
  if (version !== FORMAT_VERSION) {
    throw new SetupError(
      `${path} has format ${version}, this Gantry reads format ${FORMAT_VERSION}: run the version that wrote it`,
    );
  }
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
}

type PageColumns = readonly [
  id: number,
  revision: number,
  key: string,
  document: string | null,
  checksum: number,
];

/** SQLite has none for its pages. Documents are parsed long after they are read: damage has to show at the start. */
function checksumOf({ revision, key, text = "" }: JournalRow): number {
  return crc32(text, crc32(`${revision} ${key}`));
}

function lastIdOf(database: DatabaseSync): number {
  return Number(database.prepare("SELECT max(id) AS id FROM journal").get()?.id ?? 0);
}

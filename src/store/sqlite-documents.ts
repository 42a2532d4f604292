import { DatabaseSync, type StatementSync } from "node:sqlite";
import { messageOf, UnavailableError } from "../lib/errors.ts";
import { JOURNAL_READ_TIMEOUT_MS } from "../lib/limits.ts";
import { DocumentRecord, type DocumentSource } from "./document.ts";
import type { RecordPage } from "./sqlite-protocol.ts";
import type { StoreRecord } from "./store.ts";

/**
 * Reads the documents that were in the journal at the start, one by one, when somebody asks for them.
 *
 * A read-only connection of the main thread's own, since a cache answers at once. It goes along when the journal is rewritten:
 * as long as a file is open somewhere, its space is not free. What is written later is not looked for here: its text came
 * from memory.
 */
export class DocumentReader {
  #connection: Connection;

  constructor(path: string) {
    this.#connection = connect(path);
  }

  /** Reads from this file from now on, which has the same rows as far as they are live. Stays with the former when that fails. */
  moveTo(path: string): void {
    const former = this.#connection;
    if (!former.database.isOpen) return;
    this.#connection = connect(path);
    former.database.close();
  }

  /** The document of a row. Throws UnavailableError. */
  read(id: number): string {
    try {
      const row = this.#connection.select.get(id) as unknown as
        | readonly [document: string]
        | undefined;
      if (row !== undefined) return row[0];
    } catch (error) {
      const message = `the state could not be read: ${messageOf(error)}`;
      throw new UnavailableError(message, { cause: error });
    }
    throw new UnavailableError(`the state could not be read: there is no row ${id}`);
  }

  /** Before the journal is closed: the last connection is the one that tidies up. */
  close(): void {
    const { database } = this.#connection;
    if (database.isOpen) database.close();
  }
}

interface Connection {
  readonly database: DatabaseSync;
  readonly select: StatementSync;
}

function connect(path: string): Connection {
  const database = new DatabaseSync(path, { readOnly: true, timeout: JOURNAL_READ_TIMEOUT_MS });
  try {
    const select = database.prepare("SELECT document FROM journal WHERE id = ?");
    select.setReturnArrays(true);
    return { database, select };
  } catch (error) {
    database.close();
    throw error;
  }
}

/** The documents of a page of the journal's thread: their beginnings are at hand until they are let go. */
export class StoredPage implements DocumentSource {
  readonly #reader: DocumentReader;
  /** Their rows. */
  readonly #ids: Float64Array;
  #heads: { readonly bytes: Buffer; readonly ends: Uint32Array } | undefined;

  constructor({ ids, heads, ends }: RecordPage, reader: DocumentReader) {
    this.#reader = reader;
    this.#ids = ids;
    this.#heads = { bytes: Buffer.from(heads.buffer), ends };
  }

  /** Not kept here: each record keeps its page, and must not keep the others by it. */
  records({ keys, revisions }: RecordPage): readonly StoreRecord[] {
    return keys.map((key, i) => new DocumentRecord(key, revisions[i] ?? 0, this, i));
  }

  /** Once the indexes have been made. */
  forgetHeads(): void {
    this.#heads = undefined;
  }

  head(position: number, bytes: number): string {
    if (this.#heads === undefined) return this.text(position);
    const start = position === 0 ? 0 : (this.#heads.ends[position - 1] ?? 0);
    const end = Math.min(this.#heads.ends[position] ?? start, start + bytes);
    return this.#heads.bytes.toString("utf8", start, end);
  }

  text(position: number): string {
    return this.#reader.read(this.#ids[position] ?? 0);
  }
}

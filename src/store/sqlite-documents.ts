import { DatabaseSync, type StatementSync } from "node:sqlite";
import { messageOf, UnavailableError } from "../lib/errors.ts";
import { JOURNAL_READ_TIMEOUT_MS } from "../lib/limits.ts";
import { DocumentRecord, type DocumentSource } from "./document.ts";
import type { LivePage } from "./sqlite-protocol.ts";
import type { StoreRecord } from "./store.ts";

/**
 * Reads the documents that were in the journal at the start, one by one, when somebody asks for them.
 *
 * A read-only connection of the main thread's own, since a cache answers at once. It stays with the file that was in force at the
 * start: when that has been rewritten and removed, the kernel keeps it for whoever has it open. What is written later
 * is not looked for here: its text came from memory.
 */
export class DocumentReader {
  readonly #database: DatabaseSync;
  readonly #select: StatementSync;

  constructor(path: string) {
    this.#database = new DatabaseSync(path, { readOnly: true, timeout: JOURNAL_READ_TIMEOUT_MS });
    this.#select = this.#database.prepare("SELECT document FROM journal WHERE id = ?");
    this.#select.setReturnArrays(true);
  }

  /** The document of a row. Throws UnavailableError. */
  read(id: number): string {
    try {
      const row = this.#select.get(id) as unknown as readonly [document: string] | undefined;
      if (row !== undefined) return row[0];
    } catch (error) {
      const message = `the state could not be read: ${messageOf(error)}`;
      throw new UnavailableError(message, { cause: error });
    }
    throw new UnavailableError(`the state could not be read: there is no row ${id}`);
  }

  /** Before the journal is closed: the last connection is the one that tidies up. */
  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

/** Records as they come from the journal's thread: with the beginnings of their documents at hand until they are let go. */
export class StoredPage {
  readonly records: readonly StoreRecord[];
  readonly #reader: DocumentReader;
  #heads: Buffer | undefined;

  constructor(page: LivePage, reader: DocumentReader) {
    this.#reader = reader;
    this.#heads = Buffer.from(page.heads.buffer);
    const { revisions, ids, ends } = page;
    this.records = page.keys.map((key, i) => {
      const start = i === 0 ? 0 : (ends[i - 1] ?? 0);
      const source = new StoredDocument(this, ids[i] ?? 0, start, ends[i] ?? 0);
      return new DocumentRecord(key, revisions[i] ?? 0, source);
    });
  }

  /** Once the indexes have been made. */
  forgetHeads(): void {
    this.#heads = undefined;
  }

  /** Undefined when they have been let go. */
  head(start: number, end: number): string | undefined {
    return this.#heads?.toString("utf8", start, end);
  }

  text(id: number): string {
    return this.#reader.read(id);
  }
}

class StoredDocument implements DocumentSource {
  readonly #page: StoredPage;
  readonly #id: number;
  readonly #start: number;
  readonly #end: number;

  constructor(page: StoredPage, id: number, start: number, end: number) {
    this.#page = page;
    this.#id = id;
    this.#start = start;
    this.#end = end;
  }

  head(bytes: number): string {
    const end = Math.min(this.#end, this.#start + bytes);
    return this.#page.head(this.#start, end) ?? this.text();
  }

  text(): string {
    return this.#page.text(this.#id);
  }
}

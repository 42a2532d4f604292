import type { Revision } from "./store.ts";

/** One write as it is kept: `text` is the document's JSON, `undefined` when the record was deleted. */
export interface JournalRow {
  readonly revision: Revision;
  readonly key: string;
  readonly text: string | undefined;
}

/** Where a {@link JournaledStore} makes its writes durable. One caller, one append at a time. */
export interface Journal {
  /**
   * Makes all rows durable, or none: then it throws UnavailableError, and may be tried again with other rows.
   * `liveRows` is how many records exist: what the journal holds beyond that is history.
   */
  append(rows: readonly JournalRow[], liveRows: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * The one home of state: a revisioned, watchable map from path-like keys to JSON documents.
 * Every backend passes the suite in `contract.ts`.
 */

/** Counts committed transactions. 0 means "does not exist" in a {@link Compare}. */
export type Revision = number;

export interface StoreRecord {
  readonly key: string;
  /**
   * A JSON document: plain objects, arrays, strings, finite numbers, booleans, null. Frozen: never mutate it.
   * Parsed when first asked for, and always the same object from then on.
   */
  readonly value: unknown;
  /** The transaction that last wrote this record. */
  readonly revision: Revision;
  /** At least these top-level members of the document, as far as it has them. Does not parse the rest of one that nobody has read yet. */
  members(names: readonly string[]): Readonly<Record<string, unknown>>;
}

/** The record's revision must be exactly this (0: it must not exist). */
export interface Compare {
  readonly key: string;
  readonly revision: Revision;
}

/** `value: undefined` deletes. */
export interface Write {
  readonly key: string;
  readonly value: unknown;
}

export interface Change {
  readonly key: string;
  readonly revision: Revision;
  /** What was written; `undefined` when the record was deleted. */
  readonly record: StoreRecord | undefined;
}

/** `revision`: of the transaction; where a comparison failed, one at which the store shows why. */
export interface TxnResult {
  readonly ok: boolean;
  readonly revision: Revision;
}

export interface Store {
  /** All records below `prefix`, in key order, as of `revision`. */
  list(prefix: string): Promise<{ revision: Revision; records: readonly StoreRecord[] }>;
  /**
   * The same for who needs no order, page by page: `onPage` is told of each record once, of some while others are still on their
   * way. Resolves with the revision.
   */
  scan(prefix: string, onPage: (records: readonly StoreRecord[]) => void): Promise<Revision>;
  /**
   * All or nothing, durable when it resolves. Not `ok`, without effect, if any compared record is at another revision.
   * Throws UnavailableError when it could not be made durable (disk full): then it has no effect.
   */
  txn(compare: readonly Compare[], write: readonly Write[]): Promise<TxnResult>;
  /**
   * Every change below `prefix` after revision `from`, in order, none missing, one batch per transaction or more.
   * Ends when `signal` aborts. Throws CompactedError if that history is gone, or the watcher fell too far behind.
   */
  watch(prefix: string, from: Revision, signal: AbortSignal): AsyncIterable<readonly Change[]>;
  /** Forgets history before `revision`; live records stay. */
  compact(before: Revision): Promise<void>;
  /** Waits for what was promised and lets go of the data. */
  close(): Promise<void>;
}

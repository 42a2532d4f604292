import type { Revision, StoreRecord } from "./store.ts";

/** For each name, the index values of a record; a record may stand under none, one or several. Pure. */
export type IndexDefinitions = Readonly<
  Record<string, (key: string, value: unknown) => readonly string[]>
>;

/**
 * A readable view of all records, kept current by list + watch. Synchronous and consistent: between two awaits
 * a reader sees one revision. Records are immutable, so holding on to one is always safe.
 */
export interface Cache {
  readonly revision: Revision;
  get(key: string): StoreRecord | undefined;
  /** Records below `prefix`, in key order. */
  list(prefix: string): readonly StoreRecord[];
  /** Records that index `name` puts under `value`, in key order. */
  lookup(name: string, value: string): readonly StoreRecord[];
  /** Resolves when the view includes `revision`: await it after a txn before answering (read your writes). */
  reached(revision: Revision): Promise<void>;
  /** Calls `listener` after each applied batch with the changed keys and previous values. Returns the unsubscriber. */
  subscribe(listener: (changes: readonly CacheChange[]) => void): () => void;
  /** Follows the store until `signal` aborts; re-lists after CompactedError. */
  run(signal: AbortSignal): Promise<void>;
}

export interface CacheChange {
  readonly key: string;
  readonly before: StoreRecord | undefined;
  readonly after: StoreRecord | undefined;
}

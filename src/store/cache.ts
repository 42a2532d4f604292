import { CompactedError, messageOf, UnavailableError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { CacheIndexes, type IndexDefinitions } from "./cache-index.ts";
import { OrderedMap } from "./ordered-map.ts";
import type { Change, Revision, Store, StoreRecord } from "./store.ts";

/**
 * A readable view of all records, kept current by list + watch. Synchronous and consistent: between two awaits
 * a reader sees one revision. Records are immutable, so holding on to one is always safe.
 */
export interface Cache {
  readonly revision: Revision;
  get(key: string): StoreRecord | undefined;
  /** Records below `prefix`, in key order. */
  list(prefix: string): readonly StoreRecord[];
  /** The same from behind a key on, for who may not want all: to be read before anything else can happen. */
  listAfter(prefix: string, after: string): Iterable<StoreRecord>;
  /** Records that index `name` puts under `value`, in key order. */
  lookup(name: string, value: string): readonly StoreRecord[];
  /** The same from behind a key on, as {@link listAfter}. */
  lookupAfter(name: string, value: string, after: string): Iterable<StoreRecord>;
  /** How many records the counting index `name` has under `value`. */
  count(name: string, value: string): number;
  /** The values that index `name` has records under, in no order. */
  valuesOf(name: string): readonly string[];
  /**
   * Resolves when the view includes `revision`: await it after a txn before answering (read your writes).
   * Throws UnavailableError when the cache has stopped following the store, or what the store threw.
   */
  reached(revision: Revision): Promise<void>;
  /** Calls `listener` after each applied batch with the changed keys and previous values. Returns the unsubscriber. */
  subscribe(listener: (changes: readonly CacheChange[]) => void): () => void;
  /** Follows the store until `signal` aborts; re-lists after CompactedError. Throws what else the store throws. */
  run(signal: AbortSignal): Promise<void>;
}

export interface CacheChange {
  readonly key: string;
  readonly before: StoreRecord | undefined;
  readonly after: StoreRecord | undefined;
}

export interface CacheOptions {
  readonly store: Store;
  readonly indexes: IndexDefinitions;
  readonly log: Log;
}

/** A cache of all of `store`, empty until `run()` has listed: `await cache.reached(0)` waits for that. */
export function createCache(options: CacheOptions): Cache {
  return new StoreCache(options);
}

class StoreCache implements Cache {
  readonly #store: Store;
  readonly #log: Log;
  readonly #indexes: CacheIndexes;
  readonly #records = new OrderedMap<StoreRecord>();
  readonly #listeners = new Set<(changes: readonly CacheChange[]) => void>();
  #waiters: Waiter[] = [];
  /** -1 until the first list. */
  #revision: Revision = -1;
  #stopped = false;

  constructor({ store, indexes, log }: CacheOptions) {
    this.#store = store;
    this.#log = log;
    this.#indexes = new CacheIndexes(indexes);
  }

  get revision(): Revision {
    return Math.max(0, this.#revision);
  }

  get(key: string): StoreRecord | undefined {
    return this.#records.get(key);
  }

  list(prefix: string): readonly StoreRecord[] {
    return this.#records.valuesBelow(prefix);
  }

  listAfter(prefix: string, after: string): Iterable<StoreRecord> {
    return this.#records.valuesAfter(prefix, after);
  }

  lookup(name: string, value: string): readonly StoreRecord[] {
    return this.#indexes.lookup(name, value);
  }

  lookupAfter(name: string, value: string, after: string): Iterable<StoreRecord> {
    return this.#indexes.lookupAfter(name, value, after);
  }

  count(name: string, value: string): number {
    return this.#indexes.count(name, value);
  }

  valuesOf(name: string): readonly string[] {
    return this.#indexes.values(name);
  }

  reached(revision: Revision): Promise<void> {
    if (revision <= this.#revision) return Promise.resolve();
    if (this.#stopped) return Promise.reject(stoppedError());
    const waiter = { revision, settled: Promise.withResolvers<void>() };
    this.#waiters.push(waiter);
    return waiter.settled.promise;
  }

  subscribe(listener: (changes: readonly CacheChange[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#stopped = false;
    let reason: unknown = stoppedError();
    try {
      while (!signal.aborted) await this.#follow(signal);
    } catch (error) {
      reason = error;
      throw error;
    } finally {
      this.#stopped = true;
      for (const { settled } of this.#waiters.splice(0)) settled.reject(reason);
    }
  }

  /** Lists, then applies changes until `signal` aborts or the history is gone. */
  async #follow(signal: AbortSignal): Promise<void> {
    const isFirst = this.#revision < 0 && this.#listeners.size === 0;
    const revision = isFirst ? await this.#fill() : await this.#listAgain();
    this.#releaseWaiters();
    try {
      for await (const changes of this.#store.watch("/", revision, signal)) {
        this.#apply(changes, changes.at(-1)?.revision ?? this.#revision);
      }
    } catch (error) {
      if (!(error instanceof CompactedError)) throw error;
      this.#log.warn("listing the store again", { why: error.message });
    }
  }

  /** The first list may be long, and nobody is there to be told: indexes grow while the rest is on its way. */
  async #fill(): Promise<Revision> {
    const revision = await this.#store.scan("/", (page) => {
      for (const record of page) {
        this.#records.set(record.key, record);
        this.#indexes.fill(record);
      }
    });
    this.#revision = revision;
    return revision;
  }

  async #listAgain(): Promise<Revision> {
    const { revision, records } = await this.#store.list("/");
    this.#apply(this.#differenceTo(records), revision);
    return revision;
  }

  /** What has to happen to this view so that it holds exactly `records`. */
  #differenceTo(records: readonly StoreRecord[]): readonly Change[] {
    const listed = new Set(records.map(({ key }) => key));
    const gone = this.#records
      .valuesBelow("")
      .filter(({ key }) => !listed.has(key))
      .map(({ key, revision }) => ({ key, revision, record: undefined }));
    const differing = records
      .filter(({ key, revision }) => this.#records.get(key)?.revision !== revision)
      .map((record) => ({ key: record.key, revision: record.revision, record }));
    return [...gone, ...differing];
  }

  #apply(changes: readonly Change[], revision: Revision): void {
    const applied = changes.map((change) => this.#applyOne(change));
    this.#revision = revision;
    if (applied.length > 0) this.#tell(applied);
    this.#releaseWaiters();
  }

  #applyOne({ key, record: after }: Change): CacheChange {
    const before = this.#records.get(key);
    if (after === undefined) this.#records.delete(key);
    else this.#records.set(key, after);
    this.#indexes.replace(key, before, after);
    return { key, before, after };
  }

  #tell(changes: readonly CacheChange[]): void {
    for (const listener of this.#listeners) {
      try {
        listener(changes);
      } catch (error) {
        // A bug of one listener must not stop the view of all others.
        this.#log.error("a cache listener failed", { why: messageOf(error) });
      }
    }
  }

  #releaseWaiters(): void {
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = waiters.filter(({ revision }) => revision > this.#revision);
    for (const { revision, settled } of waiters) {
      if (revision <= this.#revision) settled.resolve();
    }
  }
}

interface Waiter {
  readonly revision: Revision;
  readonly settled: PromiseWithResolvers<void>;
}

function stoppedError(): UnavailableError {
  return new UnavailableError("the cache has stopped following the store");
}

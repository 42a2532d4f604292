import { assert, InvariantError, messageOf, UnavailableError } from "../lib/errors.ts";
import {
  STORE_HISTORY_CHANGES_MAX,
  STORE_KEY_LENGTH_MAX,
  STORE_QUEUE_TXNS_MAX,
  STORE_TXN_OPERATIONS_MAX,
  STORE_WATCH_BUFFER_CHANGES_MAX,
} from "../lib/limits.ts";
import { ChangeFeed } from "./change-feed.ts";
import { DocumentRecord, formatDocument } from "./document.ts";
import type { Journal, JournalRow } from "./journal.ts";
import type { Change, Compare, Revision, Store, StoreRecord, TxnResult, Write } from "./store.ts";

export interface JournaledStoreOptions {
  readonly journal: Journal;
  /** The state to begin with, newest first: what comes again of a key is history. Read at once, and while it comes in. Absent: none. */
  readonly pages?: AsyncIterable<readonly StoreRecord[]>;
  readonly revision: Revision;
  /** Resolves when a first commit should begin: what is decided until then shares it. */
  readonly gather: () => Promise<void>;
  readonly historyChangesMax?: number;
  readonly watchBufferChangesMax?: number;
}

/**
 * A store for one process: state in memory, every write in a journal first.
 *
 * A transaction is decided at once, in the order of arrival, against what was decided before it, durable or not.
 * It then waits: everything decided while a commit is under way goes into the next one. Readers and watchers only
 * ever see durable state. When a commit fails, all that was decided on top of it fails with it, since it rests on
 * writes that never happened; the next transaction starts again from the durable state.
 */
export class JournaledStore implements Store {
  readonly #journal: Journal;
  /** In no order: only caches list, once, and keep an order of their own. */
  readonly #records = new Map<string, StoreRecord>();
  /** The state to begin with, until somebody asks for anything: what is listed first should see all of it come in. */
  #pages: AsyncIterable<readonly StoreRecord[]> | undefined;
  /** While that comes in: it is read only, and who lists is told page by page. */
  #loading: Loading | undefined;
  readonly #feed: ChangeFeed;
  readonly #gather: () => Promise<void>;
  /** Of the last durable transaction. */
  #revision: Revision;
  /** Of the last decided transaction. */
  #decidedRevision: Revision;
  /** The last decided change of each key, as long as it is not durable. */
  readonly #pending = new Map<string, Change>();
  #queue: Decided[] = [];
  /** Running as long as something waits to become durable. */
  #committing: Promise<void> | undefined;
  #closed = false;

  constructor(options: JournaledStoreOptions) {
    this.#journal = options.journal;
    this.#gather = options.gather;
    this.#revision = options.revision;
    this.#decidedRevision = options.revision;
    this.#feed = new ChangeFeed({
      revision: options.revision,
      historyChangesMax: options.historyChangesMax ?? STORE_HISTORY_CHANGES_MAX,
      bufferChangesMax: options.watchBufferChangesMax ?? STORE_WATCH_BUFFER_CHANGES_MAX,
    });
    this.#pages = options.pages;
  }

  async list(prefix: string): Promise<{ revision: Revision; records: readonly StoreRecord[] }> {
    const records: StoreRecord[] = [];
    const revision = await this.scan(prefix, (page) => {
      for (const record of page) records.push(record);
    });
    return { revision, records: records.sort((a, b) => (a.key < b.key ? -1 : 1)) };
  }

  async scan(prefix: string, onPage: (records: readonly StoreRecord[]) => void): Promise<Revision> {
    this.#assertOpen();
    this.#beginLoading();
    this.#loading?.listeners.push((page) => onPage(below(page, prefix)));
    // What comes after this is told by the line above: of one moment, without a gap.
    const revision = this.#revision;
    onPage(below([...this.#records.values()], prefix));
    await this.#loading?.done;
    return revision;
  }

  // Not `async`: a commit's answer should reach the caller without a further turn of the microtask queue.
  txn(compare: readonly Compare[], write: readonly Write[]): Promise<TxnResult> {
    try {
      this.#assertOpen();
      validate(compare, write);
      // Now: what the caller does to its objects afterwards is no part of the transaction.
      const texts = write.map(toText);
      this.#beginLoading();
      if (this.#loading === undefined) return this.#decide(compare, texts);
      return this.#loading.done.then(() => this.#decide(compare, texts));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  watch(prefix: string, from: Revision, signal: AbortSignal): AsyncIterable<readonly Change[]> {
    return this.#feed.watch(prefix, from, signal);
  }

  async compact(before: Revision): Promise<void> {
    this.#assertOpen();
    this.#feed.forget(Math.min(before, this.#revision + 1));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#loading?.done.catch(() => undefined);
    await this.#committing;
    this.#feed.close();
    await this.#journal.close();
  }

  #beginLoading(): void {
    const pages = this.#pages;
    if (pages === undefined) return;
    this.#pages = undefined;
    const listeners: Loading["listeners"] = [];
    const load = async (): Promise<void> => {
      for await (const page of pages) {
        if (this.#closed) return;
        const live = this.#enter(page);
        for (const listener of listeners) listener(live);
      }
      this.#loading = undefined;
    };
    this.#loading = { listeners, done: load() };
    // Told to whoever asks for anything.
    this.#loading.done.catch(() => undefined);
  }

  /** Those of a page that are not history. */
  #enter(page: readonly StoreRecord[]): readonly StoreRecord[] {
    const live: StoreRecord[] = [];
    for (const record of page) {
      if (this.#records.has(record.key)) continue;
      this.#records.set(record.key, record);
      live.push(record);
    }
    return live;
  }

  #decide(compare: readonly Compare[], write: readonly WriteText[]): Promise<TxnResult> {
    if (this.#queue.length >= STORE_QUEUE_TXNS_MAX) {
      throw new UnavailableError(`${this.#queue.length} transactions wait for the disk`);
    }
    const holds = compare.every(({ key, revision }) => this.#decidedRevisionOf(key) === revision);
    const changes = holds ? this.#stage(write) : [];
    const result: TxnResult = { ok: holds, revision: this.#decidedRevision };
    // An answer without writes still rests on what it compared: it may not come before that is durable.
    if (changes.length === 0 && this.#committing === undefined) return Promise.resolve(result);
    const settled = Promise.withResolvers<TxnResult>();
    this.#queue.push({ changes, result, settled });
    this.#committing ??= this.#commitAll();
    return settled.promise;
  }

  #decidedRevisionOf(key: string): Revision {
    const pending = this.#pending.get(key);
    const record = pending === undefined ? this.#records.get(key) : pending.record;
    return record?.revision ?? 0;
  }

  /** Gives the writes that have an effect the next revision. */
  #stage(write: readonly WriteText[]): readonly Staged[] {
    const effective = write.filter(
      ({ key, text }) => text !== undefined || this.#decidedRevisionOf(key) !== 0,
    );
    if (effective.length === 0) return [];
    const revision = this.#decidedRevision + 1;
    const staged = effective.map((one) => stage(one, revision));
    this.#decidedRevision = revision;
    for (const { change } of staged) this.#pending.set(change.key, change);
    return staged;
  }

  async #commitAll(): Promise<void> {
    await this.#gather();
    while (this.#queue.length > 0) {
      const batch = this.#queue;
      this.#queue = [];
      const staged = batch.flatMap((decided) => decided.changes);
      try {
        if (staged.length > 0) await this.#append(staged);
      } catch (error) {
        this.#fail([...batch, ...this.#queue], error);
        continue;
      }
      this.#apply(staged);
      for (const { settled, result } of batch) settled.resolve(result);
    }
    this.#committing = undefined;
  }

  #append(staged: readonly Staged[]): Promise<void> {
    return this.#journal.append(
      staged.map(({ row }) => row),
      this.#records.size,
    );
  }

  /** Makes durable changes visible. */
  #apply(staged: readonly Staged[]): void {
    const last = staged.at(-1);
    if (last === undefined) return;
    for (const { change } of staged) {
      // Its row is history, and goes with the next rewrite of the journal.
      const former = this.#records.get(change.key);
      if (former instanceof DocumentRecord) former.detach();
      if (change.record === undefined) this.#records.delete(change.key);
      else this.#records.set(change.key, change.record);
      // A later transaction may already have decided on this key again.
      if (this.#pending.get(change.key) === change) this.#pending.delete(change.key);
    }
    this.#revision = last.change.revision;
    this.#feed.publish(staged.map(({ change }) => change));
  }

  #fail(decided: readonly Decided[], error: unknown): void {
    this.#queue = [];
    this.#pending.clear();
    this.#decidedRevision = this.#revision;
    const message = `the state could not be written: ${messageOf(error)}`;
    for (const { settled } of decided) {
      settled.reject(new UnavailableError(message, { cause: error }));
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw new UnavailableError("the store is closed");
  }
}

interface Loading {
  readonly listeners: ((page: readonly StoreRecord[]) => void)[];
  /** Rejects when the state cannot be read. */
  readonly done: Promise<void>;
}

function below(records: readonly StoreRecord[], prefix: string): StoreRecord[] {
  return records.filter(({ key }) => key.startsWith(prefix));
}

/** A write with its document as JSON; `undefined` deletes. */
type WriteText = Pick<JournalRow, "key" | "text">;

function toText({ key, value }: Write): WriteText {
  return { key, text: value === undefined ? undefined : formatDocument(value) };
}

/** A change beside its durable form. */
interface Staged {
  readonly change: Change;
  readonly row: JournalRow;
}

interface Decided {
  readonly changes: readonly Staged[];
  readonly result: TxnResult;
  readonly settled: PromiseWithResolvers<TxnResult>;
}

/** The record is made of the text, so that it is the same now and after a restart, whoever mutates the original. */
function stage({ key, text }: WriteText, revision: Revision): Staged {
  const record = text === undefined ? undefined : new DocumentRecord(key, revision, text);
  return { change: { key, revision, record }, row: { revision, key, text } };
}

/** Slash first, then printable ASCII: such keys have the same order in every backend. */
const KEY = /^\/[\x21-\x7e]*$/;

function validate(compare: readonly Compare[], write: readonly Write[]): void {
  assert(
    compare.length <= STORE_TXN_OPERATIONS_MAX,
    `a transaction compares ${compare.length} records`,
  );
  assert(write.length <= STORE_TXN_OPERATIONS_MAX, `a transaction writes ${write.length} records`);
  for (const { key } of write) {
    if (key.length > STORE_KEY_LENGTH_MAX || !KEY.test(key)) {
      throw new InvariantError(`not a key: ${JSON.stringify(key)}`);
    }
  }
  const keys = new Set(write.map(({ key }) => key));
  assert(keys.size === write.length, "a transaction writes the same record twice");
}

import type { Worker } from "node:worker_threads";
import { assert, messageOf, SetupError, UnavailableError } from "../lib/errors.ts";
import { JOURNAL_DEAD_ROWS_MIN } from "../lib/limits.ts";
import type { Log } from "../lib/log.ts";
import type { Journal, JournalRow } from "./journal.ts";
import { JournaledStore } from "./journaled-store.ts";
import { DocumentReader, StoredPage } from "./sqlite-documents.ts";
import type { JournalNotice, JournalReply, JournalRequest, RecordPage } from "./sqlite-protocol.ts";
import { spawnJournalThread } from "./sqlite-spawn.ts";
import type { Revision, Store, StoreRecord } from "./store.ts";

export interface SqliteStoreOptions {
  /** Where the state lies; made if missing, with access for the owner only. One process at a time. */
  readonly directory: string;
  readonly log: Log;
  /** Superseded rows from which on a rewrite of the journal is worth it. For tests of that. */
  readonly deadRowsMin?: number;
  /** Spawned ahead; without it one is spawned now. Ends with the store. */
  readonly thread?: Worker | undefined;
}

/**
 * Opens the embedded store: state in memory, an SQLite journal in `directory`, written by a thread of its own.
 * Throws SetupError when the directory is in use by another process or cannot be written. Reading the records goes on behind
 * it: where they are damaged, each call of the store throws SetupError.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { directory, log, deadRowsMin = JOURNAL_DEAD_ROWS_MIN } = options;
  const thread = new JournalThread(options.thread ?? spawnJournalThread(), log);
  try {
    const revision = await thread.open(directory, deadRowsMin);
    // The next turn of the event loop: what else this one brings shares the commit.
    const gather = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    return new JournaledStore({ journal: thread, pages: pagesOf(thread), revision, gather });
  } catch (error) {
    await thread.close();
    throw error;
  }
}

/** Chosen: when one side is held up, by its collector say, the other has something to do. */
const PAGES_AHEAD = 3;

async function* pagesOf(thread: JournalThread): AsyncGenerator<readonly StoreRecord[]> {
  const coming: Promise<RecordPage | undefined>[] = [];
  const ask = (): void => {
    const page = thread.load();
    page.catch(() => undefined);
    coming.push(page);
  };
  for (let ahead = 0; ahead < PAGES_AHEAD; ahead++) ask();
  let page = await coming.shift();
  while (page !== undefined) {
    ask();
    const stored = new StoredPage(page, thread.documents);
    yield stored.records(page);
    stored.forgetHeads();
    page = await coming.shift();
  }
}

/** The main thread's end of the journal. */
class JournalThread implements Journal {
  readonly #worker: Worker;
  readonly #waiting: PromiseWithResolvers<JournalReply>[] = [];
  readonly #log: Log;
  #documents: DocumentReader | undefined;
  /** Set once the thread is gone. */
  #gone: Error | undefined;

  constructor(worker: Worker, log: Log) {
    this.#log = log;
    this.#worker = worker;
    worker.ref();
    this.#worker.on("message", (message: JournalReply | JournalNotice) => this.#receive(message));
    this.#worker.on("error", (error) => this.#lose(messageOf(error)));
    this.#worker.on("exit", () => this.#lose("it has ended"));
  }

  /** Throws UnavailableError or SetupError, as the thread says. */
  async ask(request: JournalRequest): Promise<Exclude<JournalReply, { kind: "failed" }>> {
    if (this.#gone !== undefined) throw this.#gone;
    const answered = Promise.withResolvers<JournalReply>();
    this.#waiting.push(answered);
    this.#worker.postMessage(request);
    const reply = await answered.promise;
    if (reply.kind !== "failed") return reply;
    throw reply.setup ? new SetupError(reply.message) : new UnavailableError(reply.message);
  }

  /** Gives the revision of the last transaction. */
  async open(directory: string, deadRowsMin: number): Promise<Revision> {
    const reply = await this.ask({ kind: "open", directory, deadRowsMin });
    assert(reply.kind === "opened", "the journal's thread sent another reply");
    this.#documents = new DocumentReader(reply.path);
    return reply.revision;
  }

  /** What reads the documents of the records that are loaded. */
  get documents(): DocumentReader {
    assert(this.#documents !== undefined, "the journal is open");
    return this.#documents;
  }

  /** The next records, undefined when that was all. */
  async load(): Promise<RecordPage | undefined> {
    const reply = await this.ask({ kind: "load" });
    assert(reply.kind === "loaded", "the journal's thread sent another reply");
    return reply.page;
  }

  async append(rows: readonly JournalRow[], liveRows: number): Promise<void> {
    await this.ask({ kind: "append", rows, liveRows });
  }

  async close(): Promise<void> {
    this.#documents?.close();
    try {
      if (this.#gone === undefined) await this.ask({ kind: "close" });
    } finally {
      await this.#worker.terminate();
    }
  }

  #receive(message: JournalReply | JournalNotice): void {
    if (message.kind === "notice") this.#log.info(message.text);
    else if (message.kind === "rewritten") this.#follow(message.path);
    else this.#waiting.shift()?.resolve(message);
  }

  /** When what is known of earlier commits has been acted on: nobody asks for a superseded row any more. */
  #follow(path: string): void {
    setImmediate(() => {
      try {
        this.#documents?.moveTo(path);
      } catch (error) {
        const text = "the former journal keeps its space until the next rewrite or start";
        this.#log.warn(text, { error: messageOf(error) });
      }
    });
  }

  #lose(why: string): void {
    this.#gone ??= new UnavailableError(`the journal's thread is gone: ${why}`);
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#gone);
  }
}

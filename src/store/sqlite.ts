import { Worker } from "node:worker_threads";
import { InvariantError, messageOf, SetupError, UnavailableError } from "../lib/errors.ts";
import { JOURNAL_DEAD_ROWS_MIN } from "../lib/limits.ts";
import type { Log } from "../lib/log.ts";
import { parseDocument } from "./document.ts";
import type { Journal, JournalRow } from "./journal.ts";
import { JournaledStore } from "./journaled-store.ts";
import { OrderedMap } from "./ordered-map.ts";
import type {
  JournalNotice,
  JournalReply,
  JournalRequest,
  JournalThreadData,
} from "./sqlite-protocol.ts";
import type { Revision, Store, StoreRecord } from "./store.ts";

export interface SqliteStoreOptions {
  /** Where the state lies; made if missing, with access for the owner only. One process at a time. */
  readonly directory: string;
  readonly log: Log;
  /** Superseded rows from which on a rewrite of the journal is worth it. For tests of that. */
  readonly deadRowsMin?: number;
}

/**
 * Opens the embedded store: state in memory, an SQLite journal in `directory`, written by a thread of its own.
 * Throws SetupError when the directory is in use by another process, cannot be written, or holds damaged data.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { directory, log, deadRowsMin = JOURNAL_DEAD_ROWS_MIN } = options;
  const thread = new JournalThread({ directory, deadRowsMin }, log);
  try {
    await thread.ask({ kind: "open" });
    const { records, revision } = await load(thread, directory);
    // The next turn of the event loop: what else this one brings shares the commit.
    const gather = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    return new JournaledStore({ journal: thread, records, revision, gather });
  } catch (error) {
    await thread.close();
    throw error;
  }
}

/** Reads the journal backwards, so that only the newest row of each key is ever parsed. */
async function load(
  thread: JournalThread,
  directory: string,
): Promise<{ records: OrderedMap<StoreRecord>; revision: Revision }> {
  const records = new OrderedMap<StoreRecord>();
  const deleted = new Set<string>();
  let revision = 0;
  const absorb = ({ key, revision: at, text }: JournalRow): void => {
    revision = Math.max(revision, at);
    if (deleted.has(key) || records.get(key) !== undefined) return;
    if (text === undefined) deleted.add(key);
    else records.set(key, Object.freeze({ key, value: parseDocument(text), revision: at }));
  };
  let page = await thread.load(Number.MAX_SAFE_INTEGER);
  while (page.rows.length > 0) {
    // The thread reads the next page while this one is parsed.
    const next = thread.load(page.lowestId);
    try {
      page.rows.forEach(absorb);
    } catch (error) {
      await next;
      throw new SetupError(
        `the state in ${directory} is damaged (${messageOf(error)}): restore that directory from a backup, or move it away to begin anew`,
        { cause: error },
      );
    }
    page = await next;
  }
  return { records, revision };
}

/** The main thread's end of the journal. */
class JournalThread implements Journal {
  readonly #worker: Worker;
  readonly #waiting: PromiseWithResolvers<JournalReply>[] = [];
  readonly #log: Log;
  /** Set once the thread is gone. */
  #gone: Error | undefined;

  constructor(data: JournalThreadData, log: Log) {
    this.#log = log;
    this.#worker = new Worker(new URL("./sqlite-worker.ts", import.meta.url), { workerData: data });
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

  async load(beforeId: number): Promise<{ rows: readonly JournalRow[]; lowestId: number }> {
    const reply = await this.ask({ kind: "load", beforeId });
    if (reply.kind !== "loaded")
      throw new InvariantError("the journal's thread sent another reply");
    return reply;
  }

  async append(rows: readonly JournalRow[], liveRows: number): Promise<void> {
    await this.ask({ kind: "append", rows, liveRows });
  }

  async close(): Promise<void> {
    try {
      if (this.#gone === undefined) await this.ask({ kind: "close" });
    } finally {
      await this.#worker.terminate();
    }
  }

  #receive(message: JournalReply | JournalNotice): void {
    if (message.kind === "notice") this.#log.info(message.text);
    else this.#waiting.shift()?.resolve(message);
  }

  #lose(why: string): void {
    this.#gone ??= new UnavailableError(`the journal's thread is gone: ${why}`);
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#gone);
  }
}

/**
 * What one agent must not forget: assignments (written before they are acted on or acknowledged), what is known of their
 * containers, what the server has acknowledged, how far output was shipped, and who we are to the server. Never credentials.
 *
 * Two connections to one SQLite file: `durable` survives a loss of power (an fsync per commit), `quick` a crash of this
 * program only. What is written through `quick` is safe to lose: reports and log batches are then sent a second time, and known as such.
 *
 * A disk that any task can fill must not stop it: the files have room taken in advance, see {@link Journal.takeRoom}.
 */
import { statSync } from "node:fs";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import type { ReportedState, TaskRecord } from "./task-record.ts";

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA busy_timeout = 5000;
  CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS tasks (arn TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS reports (arn TEXT PRIMARY KEY, reported TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS offsets (arn TEXT, container TEXT, offset INTEGER NOT NULL, PRIMARY KEY (arn, container)) STRICT;
  CREATE TABLE IF NOT EXISTS ended (arn TEXT PRIMARY KEY, endedAt INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS room (bytes BLOB) STRICT;
`;
/**
 * Chosen: of each of the two files. SQLite begins its write-ahead log anew after 1000 pages of 4 KiB and one transaction; in the
 * database it is the records of hundreds of tasks.
 */
const ROOM_BYTES = 5 * 2 ** 20;

/** Who this agent is to the server, from its registration. */
export interface Registration {
  readonly cluster: string;
  readonly containerInstanceArn: string;
}

export class Journal implements Disposable {
  readonly #path: string;
  readonly #durable: Connection;
  readonly #quick: Connection;
  /**
   * Whoever closes the last connection removes the write-ahead log and with it the room in it, but a reader may not: it is closed
   * last. Undefined in memory.
   */
  readonly #keeper: DatabaseSync | undefined;

  /** Opens or creates the file at `path`. */
  constructor(path: string) {
    using opening = new DisposableStack();
    this.#path = path;
    this.#durable = opening.use(new Connection(path, "FULL"));
    this.#quick = opening.use(new Connection(path, "NORMAL"));
    this.#keeper = this.#durable.hasLog ? openKeeper(path) : undefined;
    opening.move();
  }

  /**
   * Takes room on the disk in advance, unless half of it is there: pages that are free in the database, and blocks of the
   * write-ahead log, which is written over and over. From then on the journal works on a full disk, also when it is opened there.
   * Does nothing in memory. Throws while there is no room.
   */
  takeRoom(): void {
    if (!this.#durable.hasLog) return;
    const freeBytes = this.#quick.number("freelist_count") * this.#quick.number("page_size");
    const logBytes = statSync(`${this.#path}-wal`).size;
    if (freeBytes >= ROOM_BYTES / 2 && logBytes >= ROOM_BYTES) return;
    this.#quick.run("INSERT INTO room VALUES (zeroblob(?))", ROOM_BYTES);
    this.#quick.run("DELETE FROM room");
  }

  registration(): Registration | undefined {
    return this.#fact<Registration>("registration");
  }

  putRegistration(registration: Registration): void {
    this.#putFact("registration", registration);
  }

  /** The greatest sequence number of a payload or manifest yet; -1 before the first. */
  sequenceNumber(): number {
    return this.#fact<number>("sequenceNumber") ?? -1;
  }

  putSequenceNumber(sequenceNumber: number): void {
    if (sequenceNumber > this.sequenceNumber()) this.#putFact("sequenceNumber", sequenceNumber);
  }

  /** What containers' endpoint ids follow from: made by `create` when it is asked for first. */
  endpointSecret(create: () => string): string {
    const known = this.#fact<string>("endpointSecret");
    if (known !== undefined) return known;
    const secret = create();
    this.#putFact("endpointSecret", secret);
    return secret;
  }

  /** All records. */
  tasks(): readonly TaskRecord[] {
    const rows = this.#durable.prepare("SELECT record FROM tasks ORDER BY rowid").all();
    return rows.map((row) => JSON.parse(String(row.record)) as TaskRecord);
  }

  /** On return the record survives a loss of power. */
  putTask(record: TaskRecord): void {
    this.#durable.run(
      "INSERT OR REPLACE INTO tasks VALUES (?, ?)",
      record.task.arn,
      JSON.stringify(record),
    );
  }

  /** Drops everything of a task but the fact that it has ended. */
  forgetTask(arn: string, now: number): void {
    this.transaction(() => {
      for (const table of ["tasks", "reports", "offsets"]) {
        this.#durable.run(`DELETE FROM ${table} WHERE arn = ?`, arn);
      }
      this.#durable.run("INSERT OR REPLACE INTO ended VALUES (?, ?)", arn, now);
    });
  }

  hasEnded(arn: string): boolean {
    const row = this.#durable.prepare("SELECT 1 AS found FROM ended WHERE arn = ?").get(arn);
    return row !== undefined;
  }

  /** Drops the memory of tasks that were forgotten before `before` (epoch ms), but of the last so many. */
  dropEnded(before: number, keptCount: number): void {
    this.#quick.run(
      `DELETE FROM ended WHERE endedAt < ?
       AND endedAt < (SELECT endedAt FROM ended ORDER BY endedAt DESC LIMIT 1 OFFSET ?)`,
      before,
      keptCount - 1,
    );
  }

  reported(arn: string): ReportedState | undefined {
    const row = this.#quick.prepare("SELECT reported FROM reports WHERE arn = ?").get(arn);
    return row === undefined ? undefined : (JSON.parse(String(row.reported)) as ReportedState);
  }

  putReported(arn: string, reported: ReportedState): void {
    const text = JSON.stringify(reported);
    this.#quick.run("INSERT OR REPLACE INTO reports VALUES (?, ?)", arn, text);
  }

  /** Bytes of a container's output that have been shipped. */
  offset(arn: string, container: string): number {
    const row = this.#quick
      .prepare("SELECT offset FROM offsets WHERE arn = ? AND container = ?")
      .get(arn, container);
    return row === undefined ? 0 : Number(row.offset);
  }

  putOffset(arn: string, container: string, offset: number, durability: "quick" | "durable"): void {
    const connection = durability === "quick" ? this.#quick : this.#durable;
    connection.run("INSERT OR REPLACE INTO offsets VALUES (?, ?, ?)", arn, container, offset);
  }

  /** Makes the durable writes of `body` one: all of them or, if it throws, none. */
  transaction<T>(body: () => T): T {
    this.#durable.run("BEGIN IMMEDIATE");
    try {
      const result = body();
      this.#durable.run("COMMIT");
      return result;
    } catch (error) {
      // A full disk has rolled it back.
      if (this.#durable.isInTransaction) this.#durable.run("ROLLBACK");
      throw error;
    }
  }

  [Symbol.dispose](): void {
    if (this.#keeper !== undefined) this.#durable.checkpoint();
    this.#quick[Symbol.dispose]();
    this.#durable[Symbol.dispose]();
    this.#keeper?.close();
  }

  #fact<T>(name: string): T | undefined {
    const row = this.#durable.prepare("SELECT value FROM facts WHERE name = ?").get(name);
    return row === undefined ? undefined : (JSON.parse(String(row.value)) as T);
  }

  #putFact(name: string, value: unknown): void {
    const text = JSON.stringify(value);
    this.#durable.run("INSERT OR REPLACE INTO facts VALUES (?, ?)", name, text);
  }
}

function openKeeper(path: string): DatabaseSync {
  const keeper = new DatabaseSync(path, { readOnly: true });
  // It counts as a connection from its first look.
  keeper.prepare("SELECT count(*) FROM facts").get();
  return keeper;
}

/** One connection, which keeps each statement that it has compiled: there are some fifteen. */
class Connection implements Disposable {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(path: string, synchronous: "FULL" | "NORMAL") {
    this.#database = new DatabaseSync(path);
    try {
      this.#database.exec(`${SCHEMA} PRAGMA synchronous = ${synchronous};`);
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /** A database in memory has no write-ahead log. */
  get hasLog(): boolean {
    return this.prepare("PRAGMA journal_mode").get()?.journal_mode === "wal";
  }

  get isInTransaction(): boolean {
    return this.#database.isTransaction;
  }

  /** Of a pragma. */
  number(name: "freelist_count" | "page_size"): number {
    return Number(this.prepare(`PRAGMA ${name}`).get()?.[name]);
  }

  prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  run(sql: string, ...parameters: readonly SQLInputValue[]): void {
    this.prepare(sql).run(...parameters);
  }

  /** Brings the database up to the log, as the last that closes would. What cannot be brought there stays in the log. */
  checkpoint(): void {
    try {
      this.prepare("PRAGMA wal_checkpoint").all();
    } catch {
      // Read from the log by the next that opens.
    }
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

/**
 * What one agent must not forget: assignments (written before they are acted on or acknowledged), what is known of their
 * containers, what the server has acknowledged, how far output was shipped, and who we are to the server. Never credentials.
 *
 * Two connections to one SQLite file: `durable` survives a loss of power (an fsync per commit), `quick` a crash of this
 * program only. What is written through `quick` is safe to lose: reports and log batches are then sent a second time, and known as such.
 */
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
`;

/** Who this agent is to the server, from its registration. */
export interface Registration {
  readonly cluster: string;
  readonly containerInstanceArn: string;
}

export class Journal implements Disposable {
  readonly #durable: Connection;
  readonly #quick: Connection;

  /** Opens or creates the file at `path`. */
  constructor(path: string) {
    this.#durable = new Connection(path, "FULL");
    this.#quick = new Connection(path, "NORMAL");
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

  /** Drops the memory of tasks that were forgotten before `before` (epoch ms). */
  dropEnded(before: number): void {
    this.#quick.run("DELETE FROM ended WHERE endedAt < ?", before);
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
      this.#durable.run("ROLLBACK");
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#quick[Symbol.dispose]();
    this.#durable[Symbol.dispose]();
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

/** One connection, which keeps each statement that it has compiled: there are some fifteen. */
class Connection implements Disposable {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(path: string, synchronous: "FULL" | "NORMAL") {
    this.#database = new DatabaseSync(path);
    this.#database.exec(`${SCHEMA} PRAGMA synchronous = ${synchronous};`);
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

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

/**
 * What one agent must not forget: assignments (written before they are acted on or acknowledged), what is known of their
 * containers, what the server has acknowledged, how far output was shipped, and who we are to the server. Never credentials.
 *
 * Two connections to one SQLite file: `durable` survives a loss of power (an fsync per commit), `quick` a crash of this
 * program only. What is written through `quick` is safe to lose: reports and log batches are then sent a second time, and known as such.
 */
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
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
  readonly #durable: DatabaseSync;
  readonly #quick: DatabaseSync;

  /** Opens or creates the file at `path`. */
  constructor(path: string) {
    this.#durable = open(path, "FULL");
    this.#quick = open(path, "NORMAL");
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
    run(this.#durable, "INSERT OR REPLACE INTO tasks VALUES (?, ?)", [
      record.task.arn,
      JSON.stringify(record),
    ]);
  }

  /** Drops everything of a task but the fact that it has ended. */
  forgetTask(arn: string, now: number): void {
    this.transaction(() => {
      for (const table of ["tasks", "reports", "offsets"]) {
        run(this.#durable, `DELETE FROM ${table} WHERE arn = ?`, [arn]);
      }
      run(this.#durable, "INSERT OR REPLACE INTO ended VALUES (?, ?)", [arn, now]);
    });
  }

  hasEnded(arn: string): boolean {
    return (
      this.#durable.prepare("SELECT 1 AS found FROM ended WHERE arn = ?").get(arn) !== undefined
    );
  }

  /** Drops the memory of tasks that were forgotten before `before` (epoch ms). */
  dropEnded(before: number): void {
    run(this.#quick, "DELETE FROM ended WHERE endedAt < ?", [before]);
  }

  reported(arn: string): ReportedState | undefined {
    const row = this.#quick.prepare("SELECT reported FROM reports WHERE arn = ?").get(arn);
    return row === undefined ? undefined : (JSON.parse(String(row.reported)) as ReportedState);
  }

  putReported(arn: string, reported: ReportedState): void {
    run(this.#quick, "INSERT OR REPLACE INTO reports VALUES (?, ?)", [
      arn,
      JSON.stringify(reported),
    ]);
  }

  /** Bytes of a container's output that have been shipped. */
  offset(arn: string, container: string): number {
    const row = this.#quick
      .prepare("SELECT offset FROM offsets WHERE arn = ? AND container = ?")
      .get(arn, container);
    return row === undefined ? 0 : Number(row.offset);
  }

  putOffset(arn: string, container: string, offset: number, durability: "quick" | "durable"): void {
    const database = durability === "quick" ? this.#quick : this.#durable;
    run(database, "INSERT OR REPLACE INTO offsets VALUES (?, ?, ?)", [arn, container, offset]);
  }

  /** Makes the durable writes of `body` one: all of them or, if it throws, none. */
  transaction<T>(body: () => T): T {
    this.#durable.exec("BEGIN IMMEDIATE");
    try {
      const result = body();
      this.#durable.exec("COMMIT");
      return result;
    } catch (error) {
      this.#durable.exec("ROLLBACK");
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#quick.close();
    this.#durable.close();
  }

  #fact<T>(name: string): T | undefined {
    const row = this.#durable.prepare("SELECT value FROM facts WHERE name = ?").get(name);
    return row === undefined ? undefined : (JSON.parse(String(row.value)) as T);
  }

  #putFact(name: string, value: unknown): void {
    run(this.#durable, "INSERT OR REPLACE INTO facts VALUES (?, ?)", [name, JSON.stringify(value)]);
  }
}

function open(path: string, synchronous: "FULL" | "NORMAL"): DatabaseSync {
  const database = new DatabaseSync(path);
  database.exec(`${SCHEMA} PRAGMA synchronous = ${synchronous};`);
  return database;
}

function run(database: DatabaseSync, sql: string, parameters: readonly SQLInputValue[]): void {
  database.prepare(sql).run(...parameters);
}

import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { messageOf, SetupError } from "../lib/errors.ts";
import type { JournalRow } from "./journal.ts";
import { DamagedError, Generation } from "./sqlite-generation.ts";
import { JournalReader } from "./sqlite-load.ts";
import type { RecordPage } from "./sqlite-protocol.ts";
import { Rewrite } from "./sqlite-rewrite.ts";
import type { Revision } from "./store.ts";

export interface JournalDirectoryOptions {
  readonly directory: string;
  /** The journal is rewritten when more rows than this, and more than the live ones, are dead. */
  readonly deadRowsMin: number;
  /** Says what happened on its own account. */
  readonly onNotice: (text: string) => void;
  /** Says which file is in force from now on. */
  readonly onRewritten: (path: string) => void;
}

/**
 * The journal on disk: `state-<generation>.db`, of which the highest number is in force, and a lock.
 *
 * A file gets its final name only when it is complete, so a crash leaves at worst files to clear away at the next
 * start. Synchronous throughout: it lives in a thread of its own.
 */
export class JournalDirectory {
  readonly #options: JournalDirectoryOptions;
  readonly #lock: DatabaseSync;
  #number: number;
  #generation: Generation;
  #rows = 0;
  #loading: JournalReader | undefined;
  /** Whoever asks ahead asks on after the end. */
  #isLoaded = false;
  /** Id of the last row that was acknowledged. */
  #lastId: number;
  /** After a failed append the connection, and what reached the file, are in doubt. */
  #inDoubt = false;
  #rewrite: Rewrite | undefined;
  /** After a failed rewrite: not again before this many rows are dead. */
  #rewriteDeadRowsMin = 0;

  /** Throws SetupError when the directory cannot be used; the message says what to do. */
  constructor(options: JournalDirectoryOptions) {
    const { directory } = options;
    this.#options = options;
    try {
      prepareDirectory(directory);
      this.#lock = lock(directory);
    } catch (error) {
      throw setupError(error, directory);
    }
    try {
      this.#number = currentGeneration(directory);
      this.#generation = new Generation(this.#path(this.#number));
      this.#lastId = this.#generation.lastId;
    } catch (error) {
      this.#lock.close();
      throw setupError(error, directory);
    }
  }

  /** Of the last transaction. */
  get revision(): Revision {
    return this.#generation.revision;
  }

  /** The file in force. */
  get path(): string {
    return this.#generation.path;
  }

  /** Some records, newest first; undefined when that was all. Read them all before appending. */
  loadPage(): RecordPage | undefined {
    if (this.#isLoaded) return undefined;
    this.#loading ??= new JournalReader(this.#generation);
    try {
      const page = this.#loading.nextPage();
      this.#rows = this.#loading.rowsRead;
      if (page === undefined) {
        this.#isLoaded = true;
        this.#loading = undefined;
      }
      return page;
    } catch (error) {
      throw setupError(error, this.#options.directory);
    }
  }

  /** Durable when it returns; without effect when it throws, and later appends may succeed again. */
  append(rows: readonly JournalRow[], liveRows: number): void {
    try {
      this.#appendOnce(rows);
    } catch (error) {
      if (this.#rewrite === undefined) throw error;
      // The half-written generation may be what fills the disk.
      this.#abandonRewrite(error);
      this.#appendOnce(rows);
    }
    this.#lastId = this.#generation.lastId;
    this.#rows += rows.length;
    const deadRows = this.#rows - liveRows;
    const wanted =
      deadRows > Math.max(liveRows, this.#options.deadRowsMin, this.#rewriteDeadRowsMin);
    if (wanted && this.#rewrite === undefined) this.#beginRewrite();
  }

  get isRewriting(): boolean {
    return this.#rewrite !== undefined;
  }

  /** Does a slice of the rewrite under way. */
  stepRewrite(): void {
    try {
      if (this.#rewrite?.step()) this.#switchTo(this.#rewrite);
    } catch (error) {
      this.#abandonRewrite(error);
    }
  }

  close(): void {
    if (this.#rewrite !== undefined) rmSync(this.#rewrite.path, { force: true });
    this.#generation.close();
    this.#lock.close();
  }

  #path(number: number): string {
    return join(this.#options.directory, generationName(number));
  }

  #appendOnce(rows: readonly JournalRow[]): void {
    if (this.#inDoubt) this.#recover();
    try {
      this.#generation.append(rows);
    } catch (error) {
      this.#inDoubt = true;
      throw error;
    }
  }

  /**
   * Opens the file again and removes rows that nobody was told of: when syncing fails, a commit that was refused may
   * still have reached the file. (If the process dies before this, such a commit can appear after all.)
   */
  #recover(): void {
    this.#generation.close();
    this.#generation = new Generation(this.#path(this.#number));
    if (this.#generation.lastId > this.#lastId) this.#generation.truncateAfter(this.#lastId);
    this.#inDoubt = false;
  }

  #beginRewrite(): void {
    const path = `${this.#path(this.#number + 1)}${UNFINISHED}`;
    try {
      rmSync(path, { force: true });
      this.#rewrite = new Rewrite(this.#generation, path);
    } catch (error) {
      this.#abandonRewrite(error);
    }
  }

  #switchTo(rewrite: Rewrite): void {
    const oldPath = this.#generation.path;
    rewrite.detach();
    sync(rewrite.path);
    renameSync(rewrite.path, this.#path(this.#number + 1));
    // From here on the new file is in force, also for whoever opens the directory after a crash.
    this.#number += 1;
    this.#rewrite = undefined;
    this.#options.onNotice(`journal rewritten: ${this.#rows} rows became ${rewrite.rows}`);
    this.#rows = rewrite.rows;
    this.#inDoubt = true;
    sync(this.#options.directory);
    this.#recover();
    this.#options.onRewritten(this.path);
    removeGeneration(oldPath);
  }

  #abandonRewrite(error: unknown): void {
    const path = this.#rewrite?.path;
    this.#rewrite = undefined;
    if (path !== undefined) rmSync(path, { force: true });
    this.#rewriteDeadRowsMin = this.#rows;
    this.#inDoubt = true;
    this.#options.onNotice(
      `journal could not be rewritten, trying again later: ${messageOf(error)}`,
    );
  }
}

const UNFINISHED = ".new";
const GENERATION = /^state-(\d{8})\.db$/;

function generationName(number: number): string {
  return `state-${String(number).padStart(8, "0")}.db`;
}

function prepareDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  sync(dirname(directory));
}

/** An exclusive lock by the kernel, held through SQLite: it goes with the process, however that ends. */
function lock(directory: string): DatabaseSync {
  const path = join(directory, "lock");
  if (!existsSync(path)) closeSync(openSync(path, "a", 0o600));
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    throw error;
  }
  writeFileSync(join(directory, "pid"), `${process.pid}\n`, { mode: 0o600 });
  return database;
}

/** The highest generation, created if there is none. Clears away what crashes have left. */
function currentGeneration(directory: string): number {
  const names = readdirSync(directory);
  const numbers = names.flatMap((name) => GENERATION.exec(name)?.[1] ?? []).map(Number);
  const current = Math.max(0, ...numbers);
  for (const name of names.filter((one) => one.endsWith(UNFINISHED))) rmSync(join(directory, name));
  for (const number of numbers.filter((one) => one < current)) {
    removeGeneration(join(directory, generationName(number)));
  }
  if (current > 0) return current;
  const path = join(directory, generationName(1));
  Generation.create(`${path}${UNFINISHED}`);
  renameSync(`${path}${UNFINISHED}`, path);
  sync(directory);
  return 1;
}

function removeGeneration(path: string): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(`${path}${suffix}`, { force: true });
}

/** Makes a file's contents, or a directory's names, durable. */
function sync(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** SQLite's primary result codes. https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

function setupError(error: unknown, directory: string): SetupError {
  if (error instanceof SetupError) return error;
  const code = error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : 0;
  const cause = { cause: error };
  if (code === SQLITE_BUSY) {
    const owner = ownerOf(directory);
    return new SetupError(
      `another Gantry${owner} uses ${directory}: stop it, or choose another data directory`,
      cause,
    );
  }
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB || error instanceof DamagedError) {
    return new SetupError(
      `the state in ${directory} is damaged (${messageOf(error)}): restore that directory from a backup, or move it away to begin anew`,
      cause,
    );
  }
  return new SetupError(
    `cannot keep the state in ${directory}: ${messageOf(error)}. Choose a data directory on a local disk with room, which this user may write`,
    cause,
  );
}

/** Only for the message: the lock decides. */
function ownerOf(directory: string): string {
  try {
    return ` (process ${readFileSync(join(directory, "pid"), "utf8").trim()})`;
  } catch {
    return "";
  }
}

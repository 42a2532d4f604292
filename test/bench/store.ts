/**
 * What the embedded store costs: opening 200,000 records up to the cache's first answer, and durable commits, each beside a
 * floor in the same run. Opening is measured in a process of its own, as it happens: with a cold heap.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { ec2Indexes } from "../../src/ec2/indexes.ts";
import { ecsIndexes } from "../../src/ecs/control/indexes.ts";
import { silentLog } from "../../src/lib/log.ts";
import { logsIndexes } from "../../src/logs/indexes.ts";
import { createCache } from "../../src/store/cache.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import type { Store } from "../../src/store/store.ts";
import { type Document, HOST, population, sampleTask } from "./population.ts";

const RECORDS = 200_000;
const OPEN_ROUNDS = 5;
const WRITERS = [1, 16, 128];
const COMMIT_MS = 3000;
const MIB = 1 << 20;

/** Fills a store, measures, and prints two tables. Takes about a minute. */
export async function measureStore(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "gantry-bench-store-"));
  try {
    await measureOpening(join(directory, "open"));
    await measureCommits(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Opening {
  readonly openMs: number;
  /** The cache's first list, with its indexes. */
  readonly cacheMs: number;
  readonly readMs: number;
  readonly residentBytes: number;
}

async function measureOpening(directory: string): Promise<void> {
  const bytes = await fill(directory);
  const openings: Opening[] = [];
  const floors: number[] = [];
  const script = fileURLToPath(import.meta.url);
  for (let round = 0; round < OPEN_ROUNDS; round++) {
    const output = execFileSync(process.execPath, [...process.execArgv, script, directory], {
      encoding: "utf8",
    });
    openings.push(JSON.parse(output) as Opening);
    floors.push(readAllRows(join(directory, "state-00000001.db")));
  }
  const total = openings.map((one) => one.openMs + one.cacheMs + one.readMs);
  console.log(`\nOpening ${RECORDS} records, ${(bytes / MIB).toFixed(0)} MiB, ms (median / best)`);
  console.log(`  openSqliteStore()                          ${spread(openings, "openMs")}`);
  console.log(`  the cache's first list and indexes         ${spread(openings, "cacheMs")}`);
  console.log(`  the first lookup, its documents parsed     ${spread(openings, "readMs")}`);
  console.log(`  in all                                     ${medianAndBest(total)}`);
  console.log(`  SQLite alone reads the rows, in one thread ${medianAndBest(floors)}`);
  const resident = openings.map(({ residentBytes }) => residentBytes / MIB);
  console.log(`  resident memory after it, MiB              ${medianAndBest(resident)}`);
}

/** Writes the population; gives the size of its documents. */
async function fill(directory: string): Promise<number> {
  const store = await openSqliteStore({ directory, log: silentLog });
  let bytes = 0;
  let batch: Document[] = [];
  const writing: Promise<unknown>[] = [];
  for (const document of population(RECORDS)) {
    bytes += JSON.stringify(document.value).length;
    batch.push(document);
    if (batch.length < 100) continue;
    writing.push(store.txn([], batch));
    batch = [];
    if (writing.length === 20) await Promise.all(writing.splice(0));
  }
  await Promise.all([...writing, store.txn([], batch)]);
  await store.close();
  return bytes;
}

function readAllRows(path: string): number {
  const database = new DatabaseSync(path, { readOnly: true });
  const select = database.prepare("SELECT revision, key, document FROM journal");
  select.setReturnArrays(true);
  const startedAt = performance.now();
  for (const _ of select.iterate());
  const elapsedMs = performance.now() - startedAt;
  database.close();
  return elapsedMs;
}

/** In a process of its own: opens the store like a server does, until the first question is answered. */
async function openOnce(directory: string): Promise<Opening> {
  const startedAt = performance.now();
  const store = await openSqliteStore({ directory, log: silentLog });
  const openedAt = performance.now();
  const indexes = { ...ecsIndexes, ...ec2Indexes, ...logsIndexes };
  const cache = createCache({ store, indexes, log: silentLog });
  const abort = new AbortController();
  const following = cache.run(abort.signal);
  await cache.reached(0);
  const reachedAt = performance.now();
  const records = cache.lookup("tasksByHost", HOST);
  if (records.some(({ value }) => value === undefined)) throw new Error("a record is empty");
  const readAt = performance.now();
  const residentBytes = process.memoryUsage.rss();
  abort.abort();
  await following;
  await store.close();
  return {
    openMs: openedAt - startedAt,
    cacheMs: reachedAt - openedAt,
    readMs: readAt - reachedAt,
    residentBytes,
  };
}

interface Throughput {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

async function measureCommits(directory: string): Promise<void> {
  console.log("\nDurable commits of one 2.4 KB task (per second / p50 ms / p99 ms)");
  console.log(`  ${"writers".padEnd(10)}${"store".padEnd(28)}SQLite, as many rows a commit`);
  for (const writers of WRITERS) {
    const store = await openSqliteStore({
      directory: join(directory, `w${writers}`),
      log: silentLog,
    });
    const ours = await commitFor(store, writers);
    await store.close();
    const floor = commitBare(join(directory, `bare-${writers}.db`), writers);
    const columns = [ours, floor].map(({ perSecond, p50Ms, p99Ms }) =>
      `${perSecond.toFixed(0)} / ${p50Ms.toFixed(2)} / ${p99Ms.toFixed(2)}`.padEnd(28),
    );
    console.log(`  ${String(writers).padEnd(10)}${columns.join("")}`);
  }
}

/** Made beforehand: the figures are about storing. */
const TASKS: readonly Document[] = Array.from({ length: 2000 }, (_, i) => sampleTask(i));

function taskToWrite(i: number): Document {
  return TASKS[i % TASKS.length] as Document;
}

/** Each writer has one transaction at a time under way. */
async function commitFor(store: Store, writers: number): Promise<Throughput> {
  const latenciesMs: number[] = [];
  const startedAt = performance.now();
  const write = async (writer: number): Promise<void> => {
    for (let round = 0; performance.now() - startedAt < COMMIT_MS; round++) {
      const before = performance.now();
      await store.txn([], [taskToWrite(writer * 1000 + round)]);
      latenciesMs.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  return throughputOf(latenciesMs, performance.now() - startedAt);
}

/** The floor: no threads, no state, no waiting for each other; the same rows in the same file format. */
function commitBare(path: string, rows: number): Throughput {
  const database = new DatabaseSync(path);
  database.exec(`
    PRAGMA page_size = 16384; PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE journal (id INTEGER PRIMARY KEY, revision INTEGER, key TEXT, document TEXT)`);
  const insert = database.prepare("INSERT INTO journal (revision, key, document) VALUES (?, ?, ?)");
  const latenciesMs: number[] = [];
  const startedAt = performance.now();
  for (let revision = 0; performance.now() - startedAt < COMMIT_MS; revision += rows) {
    const before = performance.now();
    database.exec("BEGIN");
    insertRows(insert, revision, rows);
    database.exec("COMMIT");
    latenciesMs.push(...Array<number>(rows).fill(performance.now() - before));
  }
  const elapsedMs = performance.now() - startedAt;
  database.close();
  return throughputOf(latenciesMs, elapsedMs);
}

function insertRows(insert: StatementSync, revision: number, rows: number): void {
  for (let row = 0; row < rows; row++) {
    const { key, value } = taskToWrite(revision + row);
    insert.run(revision + row, key, JSON.stringify(value));
  }
}

function throughputOf(latenciesMs: readonly number[], elapsedMs: number): Throughput {
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
  return { perSecond: (sorted.length / elapsedMs) * 1000, p50Ms: at(0.5), p99Ms: at(0.99) };
}

function spread(openings: readonly Opening[], part: keyof Opening): string {
  return medianAndBest(openings.map((one) => one[part]));
}

function medianAndBest(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  return [median, sorted[0] ?? Number.NaN].map((one) => one.toFixed(0).padStart(6)).join(" /");
}

if (import.meta.main) {
  const directory = process.argv[2];
  if (directory === undefined) await measureStore();
  else console.log(JSON.stringify(await openOnce(directory)));
}

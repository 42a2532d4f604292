/**
 * What log lines cost: appending and scanning in the engine beside a floor (a file with one line per line, the same bytes), and
 * the whole way from a container's file through an agent's shipper, the door and the engine to GetLogEvents.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateLogGroupCommand, GetLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import { createLogStream, putLogEvents } from "../../src/agent/log-destination.ts";
import { LogShipper } from "../../src/agent/log-shipper.ts";
import { OutputFile } from "../../src/agent/output-file.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import { systemRandom } from "../../src/lib/random.ts";
import { logsIndexes } from "../../src/logs/indexes.ts";
import { logsService } from "../../src/logs/operations.ts";
import { createCache } from "../../src/store/cache.ts";
import { openMemoryStore } from "../../src/store/memory.ts";
import type { LogScan, LogStore } from "../../src/telemetry/log-store.ts";
import { openLogStore } from "../../src/telemetry/segment-log-store.ts";
import { REGION, startDoor, type TestDoor } from "../door-kit.ts";

const MIB = 2 ** 20;
const LINE_BYTES = 200;
const STREAMS = 1_000;
const LINES_PER_PUT = 100;
const PUTS_AT_ONCE = 10;
const APPEND_MS = 6_000;
const SHIP_LINES_PER_SECOND = 20_000;
const SHIP_MS = 10_000;

/** Prints all of it. Takes about a minute. */
export async function measureLogs(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "gantry-bench-logs-"));
  try {
    await measureEngine(directory);
    await measureShipping(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Lines of 200 bytes that pack about as well as those of real services. */
const SAMPLES: readonly string[] = Array.from({ length: 20_000 }, (_, i) => {
  const id = Math.imul(i, 2_654_435_761) >>> 0;
  const text = `INFO request ${id.toString(16)} GET /api/v1/orders/${i} status=${200 + (i % 5)} took=${id % 997}ms user=u${id % 5_000} `;
  return text.padEnd(LINE_BYTES, "trace=0af7651916cd43dd8448eb211c80319c span=b7ad6b7169203331 ");
});

function sample(i: number): string {
  return SAMPLES[i % SAMPLES.length] ?? "";
}

async function measureEngine(directory: string): Promise<void> {
  const store = await openLogStore({ directory: join(directory, "engine"), log: silentLog });
  const append = await appendFor(store);
  const floor = appendBare(join(directory, "bare.log"));
  console.log("\nLog lines of 200 B, 1,000 streams, 100 lines a put, 10 puts at once");
  row("appended, durable, per second", append.linesPerSecond);
  row("a bare file, fdatasync per 1,000 lines, per second", floor);
  row("peak resident memory meanwhile, MiB", append.peakBytes / MIB);
  const streamIds = [...store.streamIds()];
  const absent = "no line holds this";
  const literal = (text: string): boolean => text.includes(absent);
  const term = await scanAll(store, streamIds, { matches: literal, mayMatch: literal });
  row("scanned for a word that is nowhere, lines per second", term);
  const each = await scanAll(store, streamIds, { matches: literal, mayMatch: () => true });
  row("scanned line by line, lines per second", each);
  await store.close();
}

async function appendFor(
  store: LogStore,
): Promise<{ readonly linesPerSecond: number; readonly peakBytes: number }> {
  let peakBytes = 0;
  const watching = setInterval(() => {
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
  }, 50);
  const startedAt = performance.now();
  let puts = 0;
  while (performance.now() - startedAt < APPEND_MS) {
    await Promise.all(
      Array.from({ length: PUTS_AT_ONCE }, () => {
        const first = puts++ * LINES_PER_PUT;
        const now = systemClock.now();
        const events = Array.from({ length: LINES_PER_PUT }, (_, i) => ({
          timestamp: now,
          ingestedAt: now,
          message: sample(first + i),
        }));
        return store.append(`stream-${puts % STREAMS}`, events);
      }),
    );
  }
  clearInterval(watching);
  const seconds = (performance.now() - startedAt) / 1000;
  return { linesPerSecond: (puts * LINES_PER_PUT) / seconds, peakBytes };
}

function appendBare(path: string): number {
  const file = openSync(path, "w");
  const startedAt = performance.now();
  let lines = 0;
  while (performance.now() - startedAt < APPEND_MS / 5) {
    const text = Array.from({ length: 1_000 }, (_, i) => sample(lines + i)).join("\n");
    writeSync(file, text);
    fdatasyncSync(file);
    lines += 1_000;
  }
  closeSync(file);
  return lines / ((performance.now() - startedAt) / 1000);
}

/** Lines per second of a search through everything. */
async function scanAll(
  store: LogStore,
  streamIds: readonly string[],
  pattern: Pick<LogScan, "matches" | "mayMatch">,
): Promise<number> {
  const bytes = streamIds.reduce((sum, id) => sum + (store.stat(id)?.bytes ?? 0), 0);
  const startedAt = performance.now();
  for (let position: LogScan["position"], isOver = false; !isOver; ) {
    const { next } = await store.scan(streamIds, {
      ...pattern,
      ...(position && { position }),
      direction: "forward",
      limit: 10_000,
      bytesMax: MIB,
      scanBytesMax: 64 * MIB,
    });
    position = next;
    isOver = next === undefined;
  }
  return bytes / LINE_BYTES / ((performance.now() - startedAt) / 1000);
}

async function measureShipping(directory: string): Promise<void> {
  const store = openMemoryStore();
  const cache = createCache({ store, indexes: logsIndexes, log: silentLog });
  const over = new AbortController();
  const following = cache.run(over.signal);
  const logStore = await openLogStore({ directory: join(directory, "shipped"), log: silentLog });
  const deps = { store, cache, logStore, clock: systemClock, random: systemRandom, log: silentLog };
  {
    await using door = await startDoor({ services: [logsService(deps)] });
    await ship(door, join(directory, "output"));
  }
  over.abort();
  await following.catch(() => undefined);
  await logStore.close();
  await store.close();
}

const DESTINATION = {
  driver: "awslogs",
  group: "/bench",
  stream: "output",
  region: REGION,
  createGroup: false,
  spoolBytesMax: 2 ** 30,
} as const;

/** A process writes a line with its time 20,000 times a second; a reader polls GetLogEvents. */
async function ship(door: TestDoor, path: string): Promise<void> {
  await door.logs.send(new CreateLogGroupCommand({ logGroupName: DESTINATION.group }));
  const client = door.json("logs");
  const signal = new AbortController().signal;
  await createLogStream(client, DESTINATION, signal);
  await using file = await OutputFile.open(path);
  const shipper = new LogShipper({
    file,
    put: (events, range, stop) =>
      putLogEvents(client, DESTINATION, events, { writer: "bench", ...range }, stop),
    offset: 0,
    saveOffset: () => undefined,
    spoolBytesMax: DESTINATION.spoolBytesMax,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  const running = shipper.run(signal);
  const writer = spawn(process.execPath, ["-e", WRITER, path], { stdio: "inherit" });
  const reading = readAll(door, SHIP_LINES_PER_SECOND * (SHIP_MS / 1000));
  await once(writer, "exit");
  shipper.end();
  const latenciesMs = (await reading).sort((a, b) => a - b);
  await running;
  const at = (share: number): number => latenciesMs[Math.floor(share * latenciesMs.length)] ?? NaN;
  console.log(
    `\n${SHIP_LINES_PER_SECOND} lines/s for ${SHIP_MS / 1000} s through file, shipper, door and engine`,
  );
  row("lines read back, none lost, none twice", latenciesMs.length);
  row("written → read through GetLogEvents, p50 ms", at(0.5));
  row("… p99 ms", at(0.99));
}

const WRITER = `
  const { openSync, writeSync } = require("node:fs");
  const file = openSync(process.argv[1], "a");
  const startedAt = Date.now();
  let written = 0;
  const timer = setInterval(() => {
    const due = Math.min(${SHIP_MS}, Date.now() - startedAt) * ${SHIP_LINES_PER_SECOND / 1000};
    let text = "";
    for (; written < due; written++) text += written + " " + Date.now() + " " + "x".repeat(80) + "\\n";
    if (text) writeSync(file, text);
    if (written >= ${SHIP_LINES_PER_SECOND * (SHIP_MS / 1000)}) clearInterval(timer);
  }, 5);`;

/** How late each line was when it was read. Throws when one is missing or not in its place. */
async function readAll(door: TestDoor, count: number): Promise<number[]> {
  const latenciesMs: number[] = [];
  let nextToken: string | undefined;
  while (latenciesMs.length < count) {
    const page = await door.logs.send(
      new GetLogEventsCommand({
        logGroupName: DESTINATION.group,
        logStreamName: DESTINATION.stream,
        startFromHead: true,
        nextToken,
      }),
    );
    const now = systemClock.now();
    for (const { message = "" } of page.events ?? []) {
      const [index, writtenAt] = message.split(" ", 2).map(Number);
      if (index !== latenciesMs.length)
        throw new Error(`line ${index} where ${latenciesMs.length} belongs`);
      latenciesMs.push(now - (writtenAt ?? 0));
    }
    if (page.events?.length === 0) await systemClock.sleep(20);
    nextToken = page.nextForwardToken;
  }
  return latenciesMs;
}

function row(name: string, value: number): void {
  console.log(`  ${name.padEnd(54)}${value.toFixed(0).padStart(10)}`);
}

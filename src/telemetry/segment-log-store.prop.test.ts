import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { silentLog } from "../lib/log.ts";
import {
  KnownPartError,
  type LogLine,
  type LogPosition,
  type LogStore,
  type ScanPosition,
} from "./log-store.ts";
import { openLogStore } from "./segment-log-store.ts";

async function inDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "gantry-logs-"));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

const message = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc.nat(3000).map((length) => "x".repeat(length)),
);
/** Few distinct timestamps, so that many collide and come out of order. */
const line = fc.record(
  {
    timestamp: fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_060 }),
    ingestedAt: fc.constant(1_700_000_000_100),
    message,
  },
  { noNullPrototype: true },
);
const append = fc.record({
  do: fc.constant("append" as const),
  stream: fc.constantFrom("a", "b", "ü"),
  lines: fc.array(line, { minLength: 1, maxLength: 12 }),
});
const reopen = fc.constant({ do: "reopen" as const });
const remove = fc.constant({ do: "remove" as const });

/** In order of timestamp, then arrival, as a stable sort gives it. */
function inOrder(lines: readonly LogLine[]): LogLine[] {
  return lines.toSorted((a, b) => a.timestamp - b.timestamp);
}

async function readAll(
  store: LogStore,
  stream: string,
  options: { direction: "forward" | "backward"; limit: number; bytesMax: number },
): Promise<LogLine[]> {
  const pages: LogLine[][] = [];
  let position: LogPosition | undefined;
  for (;;) {
    const page = await store.read(stream, { ...options, ...(position && { position }) });
    assert.ok(page.events.length <= options.limit);
    if (page.events.length === 0) break;
    const isForward = options.direction === "forward";
    position = isForward ? page.after : page.before;
    const events = page.events.map(({ timestamp, ingestedAt, message }) => ({
      timestamp,
      ingestedAt,
      message,
    }));
    if (isForward) pages.push(events);
    else pages.unshift(events);
  }
  return pages.flat();
}

test("a stream reads back whole and in order, both ways, whatever the appends, rewrites and restarts", async () => {
  const property = fc.asyncProperty(
    fc.array(fc.oneof({ weight: 8, arbitrary: append }, reopen, remove), { maxLength: 25 }),
    fc.integer({ min: 1, max: 15 }),
    fc.constantFrom(1, 100, 100_000),
    fc.constantFrom(1, 2_000, 1_000_000),
    (steps, limit, bytesMax, segmentBytesMax) =>
      inDirectory(async (directory) => {
        const options = { directory, log: silentLog, segmentBytesMax };
        let store = await openLogStore(options);
        const model = new Map<string, LogLine[]>();
        let lives = 0;
        for (const step of steps) {
          if (step.do === "append") {
            // An id is never used again: the second life of `b` has another.
            const stream = step.stream === "b" ? `b${lives}` : step.stream;
            await store.append(stream, step.lines);
            model.set(stream, [...(model.get(stream) ?? []), ...step.lines]);
          } else if (step.do === "reopen") {
            await store.close();
            store = await openLogStore(options);
            // As the owner of the ids does: after a restart, what is no longer known goes again.
            for (const id of [...store.streamIds()]) if (!model.has(id)) await store.remove(id);
          } else {
            await store.remove(`b${lives}`);
            model.delete(`b${lives}`);
            lives++;
          }
        }
        for (const stream of ["a", "ü", ...Array.from({ length: lives + 1 }, (_, i) => `b${i}`)]) {
          const lines = inOrder(model.get(stream) ?? []);
          for (const direction of ["forward", "backward"] as const) {
            const read = await readAll(store, stream, { direction, limit, bytesMax });
            assert.deepEqual(read, lines);
          }
          assert.equal(store.stat(stream)?.firstEventAt, lines[0]?.timestamp);
          assert.equal(store.stat(stream)?.lastEventAt, lines.at(-1)?.timestamp);
        }
        await store.close();
      }),
  );
  await fc.assert(property, { numRuns: 60 });
});

test("a range holds exactly the events of its time", async () => {
  const time = fc.integer({ min: 1_699_999_999_990, max: 1_700_000_000_070 });
  const property = fc.asyncProperty(
    fc.array(fc.array(line, { minLength: 1, maxLength: 8 }), { maxLength: 12 }),
    time,
    time,
    fc.constantFrom("forward" as const, "backward" as const),
    (appends, startAt, endAt, direction) =>
      inDirectory(async (directory) => {
        const store = await openLogStore({ directory, log: silentLog });
        await Promise.all(appends.map((lines) => store.append("a", lines)));
        const query = { startAt, endAt, direction, limit: 10_000, bytesMax: 1 << 20 };
        const { events } = await store.read("a", query);
        const expected = inOrder(appends.flat()).filter(
          ({ timestamp }) => timestamp >= startAt && timestamp < endAt,
        );
        assert.deepEqual(
          events.map((event) => event.message),
          expected.map((event) => event.message),
        );
        await store.close();
      }),
  );
  await fc.assert(property, { numRuns: 40 });
});

test("a journal cut or damaged at any byte keeps every whole chunk before that byte", async () => {
  const property = fc.asyncProperty(
    fc.array(fc.array(line, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 8 }),
    fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    fc.boolean(),
    (appends, where, isCut) =>
      inDirectory(async (directory) => {
        const options = { directory, log: silentLog };
        const path = join(directory, "0000000001.journal");
        let store = await openLogStore(options);
        const ends: number[] = [];
        for (const lines of appends) {
          await store.append("a", lines);
          ends.push((await readFile(path)).length);
        }
        await store.close();

        const bytes = await readFile(path);
        const at = Math.floor(where * bytes.length);
        bytes[at] = (bytes[at] ?? 0) ^ 0x55;
        await writeFile(path, isCut ? bytes.subarray(0, at) : bytes);
        store = await openLogStore(options);
        const kept = appends.filter((_, i) => (ends[i] ?? 0) <= at).flat();
        const query = { direction: "forward", limit: 10_000, bytesMax: 1 << 20 } as const;
        const messages = async (): Promise<string[]> =>
          (await store.read("a", query)).events.map((event) => event.message);
        assert.deepEqual(
          await messages(),
          inOrder(kept).map((event) => event.message),
        );

        const late = { timestamp: 1_700_000_001_000, ingestedAt: 0, message: "after the crash" };
        await store.append("a", [late]);
        await store.close();
        store = await openLogStore(options);
        assert.deepEqual(await messages(), [...inOrder(kept).map((e) => e.message), late.message]);
        await store.close();
        assert.deepEqual(await readdir(directory), ["0000000001.journal"]);
      }),
  );
  await fc.assert(property, { numRuns: 60 });
});

/** As a stable sort gives it: timestamp, ingestion, stream, order of arrival. */
function inScanOrder(
  model: ReadonlyMap<string, readonly LogLine[]>,
): (LogLine & { stream: string })[] {
  const all = [...model].flatMap(([stream, lines]) => lines.map((one) => ({ ...one, stream })));
  return all.sort(
    (a, b) =>
      a.timestamp - b.timestamp ||
      a.ingestedAt - b.ingestedAt ||
      (a.stream < b.stream ? -1 : a.stream > b.stream ? 1 : 0),
  );
}

test("a scan of many streams gives each event that matches once and in order, both ways, whatever the pages", async () => {
  const property = fc.asyncProperty(
    fc.array(fc.tuple(append, fc.integer({ min: 1, max: 3 })), { maxLength: 25 }),
    fc.record({
      limit: fc.integer({ min: 1, max: 15 }),
      bytesMax: fc.constantFrom(1, 100, 100_000),
      scanBytesMax: fc.constantFrom(1, 500, 1_000_000),
      direction: fc.constantFrom("forward" as const, "backward" as const),
      startAt: fc.integer({ min: 1_699_999_999_990, max: 1_700_000_000_070 }),
      needle: fc.constantFrom("", "x", "a"),
    }),
    fc.constantFrom(1, 2_000, 1_000_000),
    (appends, { needle, ...page }, segmentBytesMax) =>
      inDirectory(async (directory) => {
        const store = await openLogStore({ directory, log: silentLog, segmentBytesMax });
        const model = new Map<string, LogLine[]>();
        for (const [{ stream, lines }, ingestedAt] of appends) {
          const stamped = lines.map((one) => ({ ...one, ingestedAt }));
          await store.append(stream, stamped);
          model.set(stream, [...(model.get(stream) ?? []), ...stamped]);
        }
        const holdsNeedle = (text: string): boolean => text.includes(needle);
        const found: unknown[] = [];
        for (let position: ScanPosition | undefined, count = 0; ; count++) {
          assert.ok(count < 2_000, "every page gets on");
          const { events, next } = await store.scan(["a", "b", "ü", "gone"], {
            ...page,
            matches: holdsNeedle,
            mayMatch: holdsNeedle,
            ...(position && { position }),
          });
          assert.ok(events.length <= page.limit);
          found.push(...events.map(({ streamId, message }) => `${streamId} ${message}`));
          if (next === undefined) break;
          position = next;
        }
        // Within a stream, events of one moment and ingestion keep their order of arrival.
        const expected = inScanOrder(model)
          .filter(({ timestamp, message }) => timestamp >= page.startAt && holdsNeedle(message))
          .map(({ stream, message }) => `${stream} ${message}`);
        await store.close();
        assert.deepEqual(found, page.direction === "forward" ? expected : expected.reverse());
      }),
  );
  await fc.assert(property, { numRuns: 60 });
});

test("the text of a writer is stored once, whatever is sent again, rewritten, reopened or cut off", async () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant("send" as const), lines: fc.nat(4) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("repeat" as const), back: fc.nat(6) }) },
    { weight: 1, arbitrary: reopen },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const), bytes: fc.nat(120) }) },
  );
  const property = fc.asyncProperty(
    fc.array(step, { maxLength: 25 }),
    fc.constantFrom(1, 300, 1_000_000),
    (steps, segmentBytesMax) =>
      inDirectory(async (directory) => {
        const options = { directory, log: silentLog, segmentBytesMax };
        let store = await openLogStore(options);
        // What the writer has written, and what it believes to be stored.
        let written = 0;
        let known = 0;
        const send = async (from: number, to: number): Promise<void> => {
          const lines = Array.from({ length: to - from }, (_, i) => ({
            timestamp: 1_700_000_000_000 + from + i,
            ingestedAt: 0,
            message: `line ${from + i}`,
          }));
          try {
            await store.append("a", lines, { writer: "w", from, to });
            known = Math.max(known, to);
          } catch (error) {
            assert.ok(error instanceof KnownPartError);
            assert.ok(error.end > from && error.end <= written);
            known = error.end;
          }
        };
        const restart = async (): Promise<void> => {
          await store.close();
          store = await openLogStore(options);
        };
        for (const one of steps) {
          if (one.do === "send") {
            written = Math.max(written, known + one.lines + 1);
            await send(known, written);
          } else if (one.do === "repeat") await send(Math.max(0, known - one.back), written);
          else if (one.do === "reopen") await restart();
          else {
            // A write that was cut short by a crash and never acknowledged.
            await store.close();
            const journals = (await readdir(directory)).filter((name) => name.endsWith(".journal"));
            const path = join(directory, journals.sort().at(-1) ?? "");
            const bytes = await readFile(path);
            if (bytes.length > 0) await writeFile(path, bytes.subarray(0, -Math.min(one.bytes, 4)));
            store = await openLogStore(options);
            // What that write had is gone: the writer, which had no answer, sends it again from where it is told to.
            known = 0;
          }
        }
        while (known < written) await send(known, written);
        const { events } = await store.read("a", {
          direction: "forward",
          limit: 10_000,
          bytesMax: 1 << 20,
        });
        await store.close();
        assert.deepEqual(
          events.map((event) => event.message),
          Array.from({ length: written }, (_, i) => `line ${i}`),
        );
      }),
  );
  await fc.assert(property, { numRuns: 100 });
});

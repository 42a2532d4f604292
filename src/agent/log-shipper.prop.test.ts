import assert from "node:assert/strict";
import { appendFileSync, utimesSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { ApiError, UnavailableError } from "../lib/errors.ts";
import { LinearRegex } from "../lib/linear-regex.ts";
import { silentLog } from "../lib/log.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";
import { LogBatch, type LogEvent } from "./log-batch.ts";
import { EVENT_MESSAGE_BYTES_MAX, LineSplitter } from "./log-lines.ts";
import { LogShipper } from "./log-shipper.ts";
import { OutputFile } from "./output-file.ts";
import { evenRandom } from "./testing/rig.fixture.ts";
import { pass, passUntil } from "./testing/time.fixture.ts";

/** A file, a sink that can be told to fail, and shippers one after another. */
class Bench implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly stored: LogEvent[] = [];
  readonly path: string;
  offset = 0;
  storedEnd = 0;
  losesAnswers = false;
  /** What the agent's machine shows, before the time that passes. */
  aheadMs = 0;
  startsEvent: LinearRegex | undefined;
  spoolBytesMax: number = 2 ** 30;
  failure: Error | undefined;
  readonly #directory: string;
  readonly #stops: (() => Promise<void>)[] = [];

  private constructor(directory: string) {
    this.#directory = directory;
    this.path = join(directory, "output");
  }

  static async create(): Promise<Bench> {
    return new Bench(await mkdtemp(join(tmpdir(), "gantry-logs-")));
  }

  async ship(): Promise<{ shipper: LogShipper; ended: Promise<void>; stop: () => Promise<void> }> {
    const file = await OutputFile.open(this.path);
    const over = new AbortController();
    const shipper = new LogShipper({
      file,
      put: async (events, { from, to }) => {
        if (this.failure !== undefined) throw this.failure;
        // As the service does it: what it has it does not take again.
        if (this.storedEnd > from) return { knownEnd: this.storedEnd };
        this.stored.push(...events);
        this.storedEnd = to;
        if (!this.losesAnswers) return {};
        throw new UnavailableError("the answer is lost");
      },
      startsEvent: this.startsEvent,
      spoolBytesMax: this.spoolBytesMax,
      offset: this.offset,
      saveOffset: (offset) => {
        assert.ok(offset >= this.offset, "an offset never goes back");
        this.offset = offset;
      },
      clock: {
        now: () => this.clock.now() + this.aheadMs,
        after: (ms, due) => this.clock.after(ms, due),
        sleep: (ms, signal) => this.clock.sleep(ms, signal),
      },
      random: evenRandom,
      log: silentLog,
    });
    const ended = shipper.run(over.signal);
    const stop = async (): Promise<void> => {
      over.abort();
      await ended;
      await file[Symbol.asyncDispose]();
    };
    this.#stops.push(stop);
    return { shipper, ended, stop };
  }

  messages(): readonly string[] {
    return this.stored.map(({ message }) => message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stop of this.#stops) await stop().catch(() => undefined);
    await rm(this.#directory, { recursive: true, force: true });
  }
}

const action = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      write: fc.string({ unit: fc.constantFrom("a", "é", "\n", "€"), maxLength: 12 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ pass: fc.integer({ min: 1, max: 3000 }) }) },
  { weight: 1, arbitrary: fc.record({ outage: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ restart: true }) },
  { weight: 1, arbitrary: fc.record({ losesAnswers: fc.boolean() }) },
  // The agent's machine loses its power: what was not waited for is forgotten.
  { weight: 1, arbitrary: fc.record({ forget: fc.nat(30) }) },
);

test("every line is shipped exactly once and in order, whatever the writes, outages and restarts", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 25 }), async (actions) => {
      await using bench = await Bench.create();
      let written = "";
      let run = await bench.ship();
      for (const step of actions) {
        if ("write" in step) {
          appendFileSync(bench.path, step.write);
          written += step.write;
        } else if ("pass" in step) await pass(bench.clock, step.pass);
        else if ("losesAnswers" in step) bench.losesAnswers = step.losesAnswers;
        else if ("forget" in step) {
          await run.stop();
          bench.offset = Math.max(0, bench.offset - step.forget);
          bench.offset = Buffer.from(written).lastIndexOf("\n", bench.offset) + 1;
          run = await bench.ship();
        } else if ("outage" in step) {
          bench.failure = step.outage ? new UnavailableError("away") : undefined;
        } else {
          await run.stop();
          run = await bench.ship();
        }
      }
      bench.failure = undefined;
      bench.losesAnswers = false;
      run.shipper.end();
      let isOver = false;
      void run.ended.then(() => {
        isOver = true;
      });
      await passUntil(bench.clock, () => isOver);
      assert.deepEqual(
        bench.messages(),
        written.split("\n").filter((line) => line !== ""),
      );
      const times = bench.stored.map(({ timestamp }) => timestamp);
      assert.deepEqual(
        times,
        times.toSorted((a, b) => a - b),
      );
    }),
    { numRuns: 60 },
  );
});

test("a line is shipped within a second of being written", async () => {
  await using bench = await Bench.create();
  await bench.ship();
  await pass(bench.clock, 5000);
  appendFileSync(bench.path, "now\n");
  const writtenAt = bench.clock.now();
  await passUntil(bench.clock, () => bench.stored.length === 1);
  assert.ok(bench.clock.now() - writtenAt <= 1500);
});

test("a batch the service refuses is given up, not tried for ever", async () => {
  await using bench = await Bench.create();
  await bench.ship();
  bench.failure = new ApiError("InvalidParameterException", "too old");
  appendFileSync(bench.path, "bad\n");
  await passUntil(bench.clock, () => bench.offset === 4);
  bench.failure = undefined;
  appendFileSync(bench.path, "good\n");
  await passUntil(bench.clock, () => bench.stored.length === 1);
  assert.deepEqual(bench.messages(), ["good"]);
});

test("the shipper of an ended container gives up in the end, sooner when it is refused", async () => {
  for (const [failure, patienceMs] of [
    [new UnavailableError("away"), 3_600_000],
    [new ApiError("AccessDeniedException", "no"), 300_000],
    [new ApiError("InvalidSignatureException", "Signature not yet current"), 3_600_000],
  ] as const) {
    await using bench = await Bench.create();
    const { shipper, ended } = await bench.ship();
    bench.failure = failure;
    appendFileSync(bench.path, "lost\n");
    shipper.end();
    let isOver = false;
    void ended.then(() => {
      isOver = true;
    });
    await passUntil(bench.clock, () => isOver);
    assert.ok(bench.clock.now() >= patienceMs && bench.clock.now() < patienceMs + 60_000);
    assert.equal(bench.offset, 0);
  }
});

test("the splitter gives the same lines however the bytes are cut, and its offsets cover them", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom("a", "€", "\n", "𝄞"), maxLength: 60 }),
      fc.array(fc.integer({ min: 0, max: 200 }), { maxLength: 6 }),
      (text, cuts) => {
        const bytes = Buffer.from(text);
        const splitter = new LineSplitter(7);
        const lines = [0, ...cuts.toSorted((a, b) => a - b), bytes.length].flatMap(
          (cut, index, all) => splitter.push(bytes.subarray(all[index - 1] ?? 0, cut)),
        );
        lines.push(...splitter.flush());
        const expected = text.split("\n");
        if (expected.at(-1) === "") expected.pop();
        assert.deepEqual(
          lines.map(({ message }) => message),
          expected,
        );
        if (lines.length > 0) assert.equal(lines.at(-1)?.endOffset, 7 + bytes.length);
      },
    ),
  );
});

test("a line beyond the limit of an event is cut between characters, nothing of it lost", () => {
  for (const character of ["a", "€", "𝄞", "\u00ff"]) {
    const text = character.repeat(
      Math.ceil((2.5 * EVENT_MESSAGE_BYTES_MAX) / Buffer.byteLength(character)),
    );
    const splitter = new LineSplitter(0);
    const lines = splitter.push(Buffer.from(`${text}\n`));
    assert.equal(lines.map(({ message }) => message).join(""), text);
    assert.ok(lines.every(({ message }) => Buffer.byteLength(message) <= EVENT_MESSAGE_BYTES_MAX));
  }
  const binary = new LineSplitter(0).push(Buffer.alloc(600_000, 0xff));
  assert.ok(binary.every(({ message }) => Buffer.byteLength(message) <= EVENT_MESSAGE_BYTES_MAX));
});

test("a batch keeps within what PutLogEvents takes", () => {
  const batch = new LogBatch();
  while (batch.add({ message: "x".repeat(200_000), endOffset: 1, timestamp: 0 }));
  assert.equal(batch.events.length, 5);
  const many = new LogBatch();
  while (many.add({ message: "x", endOffset: 1, timestamp: 0 }));
  assert.equal(many.events.length, 10_000);
  const long = new LogBatch();
  assert.ok(long.add({ message: "x", endOffset: 1, timestamp: 0 }));
  assert.ok(long.add({ message: "x", endOffset: 2, timestamp: 24 * 3_600_000 }));
  assert.ok(!long.add({ message: "x", endOffset: 3, timestamp: 24 * 3_600_000 + 1 }));
});

test("lines up to the next that begins an event are one event, whole after a restart too", async () => {
  await using bench = await Bench.create();
  bench.startsEvent = new LinearRegex("^[A-Z]+ ");
  const first = await bench.ship();
  appendFileSync(bench.path, "INFO one\nERROR two\n  at here\n\n  at there\n");
  await passUntil(bench.clock, () => bench.stored.length === 1);
  await first.stop();
  appendFileSync(bench.path, "  at last\nINFO three\n");
  await bench.ship();
  await passUntil(bench.clock, () => bench.stored.length === 3);
  assert.deepEqual(bench.messages(), [
    "INFO one",
    "ERROR two\n  at here\n\n  at there\n  at last",
    "INFO three",
  ]);
});

test("an event of several lines waits for its next line for five seconds only", async () => {
  await using bench = await Bench.create();
  bench.startsEvent = new LinearRegex("^\\S");
  await bench.ship();
  appendFileSync(bench.path, "one\n");
  await pass(bench.clock, 4_000);
  assert.deepEqual(bench.messages(), []);
  await passUntil(bench.clock, () => bench.stored.length === 1);
  assert.ok(bench.clock.now() <= 7_000);
});

test("what is too long for one event is cut, in events of several lines too", async () => {
  await using bench = await Bench.create();
  bench.startsEvent = new LinearRegex("^start");
  const { shipper } = await bench.ship();
  const lines = Array.from({ length: 10 }, (_, i) => `${i}`.repeat(60_000));
  appendFileSync(bench.path, ["start", ...lines, "start"].join("\n"));
  shipper.end();
  await passUntil(bench.clock, () => bench.messages().at(-1) === "start");
  assert.ok(bench.messages().every((one) => Buffer.byteLength(one) <= EVENT_MESSAGE_BYTES_MAX));
  assert.equal(bench.messages().join("\n"), ["start", ...lines, "start"].join("\n"));
});

test("while the service is away the oldest output is dropped above the limit, in whole lines", async () => {
  await using bench = await Bench.create();
  bench.spoolBytesMax = 10_000;
  await bench.ship();
  bench.failure = new UnavailableError("away");
  const lines = Array.from({ length: 2_000 }, (_, i) => `line ${i}`);
  appendFileSync(bench.path, `${lines.join("\n")}\n`);
  await pass(bench.clock, 60_000);
  bench.failure = undefined;
  await passUntil(bench.clock, () => bench.messages().at(-1) === "line 1999");
  const kept = bench.messages();
  assert.ok(kept.length > 400 && kept.length < 1_000, String(kept.length));
  assert.deepEqual(kept, lines.slice(-kept.length));
});

test("while the service answers, a burst above the limit is only late", async () => {
  await using bench = await Bench.create();
  bench.spoolBytesMax = 10_000;
  await bench.ship();
  const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i}`);
  appendFileSync(bench.path, `${lines.join("\n")}\n`);
  await passUntil(bench.clock, () => bench.stored.length === lines.length);
  assert.deepEqual(bench.messages(), lines);
});

test("what was written while nobody read is stamped no later than the file was written to", async () => {
  await using bench = await Bench.create();
  appendFileSync(bench.path, "before\n");
  utimesSync(bench.path, 1_000, 1_000);
  await bench.clock.advance(2_000_000);
  await bench.ship();
  await passUntil(bench.clock, () => bench.stored.length === 1);
  appendFileSync(bench.path, "now\n");
  await passUntil(bench.clock, () => bench.stored.length === 2);
  assert.equal(bench.stored[0]?.timestamp, 1_000_000);
  assert.ok((bench.stored[1]?.timestamp ?? 0) >= 2_000_000);
});

test("after the clock was set back nothing is stamped so far ahead that the service would not take it", async () => {
  await using bench = await Bench.create();
  bench.failure = new ApiError("InvalidSignatureException", "Signature not yet current");
  bench.aheadMs = 3 * 3_600_000;
  await bench.ship();
  appendFileSync(bench.path, "on the way\n");
  await pass(bench.clock, 5_000);
  bench.aheadMs = 0;
  bench.failure = undefined;
  await passUntil(bench.clock, () => bench.stored.length === 1);
  appendFileSync(bench.path, "after\n");
  await passUntil(bench.clock, () => bench.stored.length === 2);
  assert.deepEqual(bench.messages(), ["on the way", "after"]);
  for (const { timestamp } of bench.stored) {
    assert.ok(timestamp <= bench.clock.now() + 2 * 3_600_000);
  }
});

import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { ApiError, UnavailableError } from "../lib/errors.ts";
import { silentLog } from "../lib/log.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";
import { EVENT_MESSAGE_BYTES_MAX, LineSplitter, LogBatch, type LogEvent } from "./log-lines.ts";
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
      put: async (events) => {
        if (this.failure !== undefined) throw this.failure;
        this.stored.push(...events);
      },
      offset: this.offset,
      saveOffset: (offset) => {
        assert.ok(offset >= this.offset, "an offset never goes back");
        this.offset = offset;
      },
      clock: this.clock,
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
        else if ("outage" in step) {
          bench.failure = step.outage ? new UnavailableError("away") : undefined;
        } else {
          await run.stop();
          run = await bench.ship();
        }
      }
      bench.failure = undefined;
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

test("the shipper of an ended container gives up in the end", async () => {
  await using bench = await Bench.create();
  const { shipper, ended } = await bench.ship();
  bench.failure = new UnavailableError("away");
  appendFileSync(bench.path, "lost\n");
  shipper.end();
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  await passUntil(bench.clock, () => isOver);
  assert.ok(bench.clock.now() >= 300_000);
  assert.equal(bench.offset, 0);
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
  while (batch.add({ message: "x".repeat(200_000), endOffset: 1 }, 0));
  assert.equal(batch.events.length, 5);
  const many = new LogBatch();
  while (many.add({ message: "x", endOffset: 1 }, 0));
  assert.equal(many.events.length, 10_000);
});

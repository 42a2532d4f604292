/**
 * Ships one container's output to a sink, from its file. The file is the queue: what is in memory is one batch and one
 * unfinished line. An offset is saved only behind acknowledged lines, so a crash repeats at most one batch and loses none.
 * Gives up output only when the sink has been away for so long that the file outgrew its limit, and says so.
 */

import { type Backoff, backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { ApiError, messageOf } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { Output } from "./disk.ts";
import { LineSplitter, LogBatch, type LogEvent, type OutputLine } from "./log-lines.ts";
import { Wake, waitForChange } from "./wake.ts";

/** How long the first line of a batch waits for others. Chosen: a person who follows a log does not notice. */
const FLUSH_MS = 250;
/** How often to look at the file when no notice of growth came. */
const LOOK_MS = 1_000;
const READ_BYTES = 262_144;
const RETRY_BACKOFF: Backoff = { firstMs: 250, factor: 2, maxMs: 10_000 };
/** How long to go on trying when the container has ended. */
const AFTER_END_MS = 300_000;
/** How much of the shipped prefix may stay on the disk. */
const RELEASE_BYTES = 16 * 2 ** 20;
/** Unshipped output above this is dropped, oldest first, down to half of it. */
const BACKLOG_BYTES_MAX = 2 ** 30;

export interface LogShipperDeps {
  readonly file: Output;
  /** Stores events, which are in order. Throws ApiError or UnavailableError. */
  readonly put: (events: readonly LogEvent[], signal: AbortSignal) => Promise<void>;
  /** Of the file, where to begin. */
  readonly offset: number;
  readonly saveOffset: (offset: number, durability: "quick" | "durable") => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export class LogShipper {
  readonly #deps: LogShipperDeps;
  readonly #wake = new Wake();
  #splitter: LineSplitter;
  #lines: OutputLine[] = [];
  #readOffset: number;
  #releasedOffset: number;
  #lastTimestamp = 0;
  #endedAt: number | undefined;

  constructor(deps: LogShipperDeps) {
    this.#deps = deps;
    this.#readOffset = deps.offset;
    this.#releasedOffset = deps.offset;
    this.#splitter = new LineSplitter(deps.offset);
  }

  /** Nothing more will be written to the file. */
  end(): void {
    this.#endedAt ??= this.#deps.clock.now();
    this.#wake.notify();
  }

  /** Ships until everything is shipped after `end()`, or the time for that is over, or `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    using _watcher = this.#deps.file.watch(() => this.#wake.notify());
    while (!signal.aborted) {
      const batch = await this.#collect(signal);
      if (batch?.endOffset === undefined) return;
      if (batch.events.length > 0 && !(await this.#ship(batch.events, signal))) return;
      this.#deps.saveOffset(batch.endOffset, "quick");
      await this.#release(batch.endOffset);
      await this.#boundBacklog();
    }
  }

  /** The next batch; without lines when there will be none; undefined when aborted. */
  async #collect(signal: AbortSignal): Promise<LogBatch | undefined> {
    const { clock, file } = this.#deps;
    const batch = new LogBatch();
    let dueAt = Number.POSITIVE_INFINITY;
    while (!signal.aborted) {
      if (!this.#fill(batch)) return batch;
      if (batch.endOffset !== undefined && dueAt === Number.POSITIVE_INFINITY) {
        dueAt = clock.now() + FLUSH_MS;
      }
      if (clock.now() >= dueAt) return batch;
      // Both before the read: growth or an end that comes during it must not be missed.
      const change = this.#wake.next();
      const ended = this.#endedAt !== undefined;
      const bytes = await file.read(this.#readOffset, READ_BYTES);
      this.#readOffset += bytes.length;
      if (bytes.length > 0) {
        this.#lines.push(...this.#splitter.push(bytes));
      } else if (ended) {
        this.#lines.push(...this.#splitter.flush());
        if (this.#fill(batch)) return batch;
      } else {
        await waitForChange(clock, change, Math.min(dueAt, clock.now() + LOOK_MS), signal);
      }
    }
    return undefined;
  }

  /** Moves lines into the batch; false when it is full. Time never runs backwards within a stream. */
  #fill(batch: LogBatch): boolean {
    this.#lastTimestamp = Math.max(this.#lastTimestamp, this.#deps.clock.now());
    const full = this.#lines.findIndex((line) => !batch.add(line, this.#lastTimestamp));
    this.#lines = full === -1 ? [] : this.#lines.slice(full);
    return full === -1;
  }

  /** True when the sink has the events, or will never take them; false when there is no point in going on. */
  async #ship(events: readonly LogEvent[], signal: AbortSignal): Promise<boolean> {
    const { clock, log, random } = this.#deps;
    for (let failures = 1; ; failures++) {
      try {
        await this.#deps.put(events, signal);
        return true;
      } catch (error) {
        if (signal.aborted) return false;
        const fields = { events: events.length, error: messageOf(error) };
        if (error instanceof ApiError && error.code === "InvalidParameterException") {
          log.error("the log service refused a batch of output, which is lost", fields);
          return true;
        }
        if (this.#endedAt !== undefined && clock.now() > this.#endedAt + AFTER_END_MS) {
          log.error("gave up shipping the output of an ended container", fields);
          return false;
        }
        if (failures === 1) log.warn("cannot ship output yet", fields);
        await this.#boundBacklog();
        await clock.sleep(backoffMs(RETRY_BACKOFF, failures, random), signal);
      }
    }
  }

  async #release(shippedOffset: number): Promise<void> {
    const length = shippedOffset - this.#releasedOffset;
    if (length < RELEASE_BYTES) return;
    // Else a loss of power could leave a saved offset inside the hole.
    this.#deps.saveOffset(shippedOffset, "durable");
    await this.#releaseRange(this.#releasedOffset, length);
    this.#releasedOffset = shippedOffset;
  }

  async #boundBacklog(): Promise<void> {
    const size = await this.#deps.file.size();
    if (size - this.#readOffset <= BACKLOG_BYTES_MAX) return;
    const offset = size - BACKLOG_BYTES_MAX / 2;
    const lostBytes = offset - this.#readOffset;
    this.#deps.log.error("the log service is too slow: output is lost", { lostBytes });
    this.#deps.saveOffset(offset, "durable");
    await this.#releaseRange(this.#readOffset, lostBytes);
    this.#readOffset = offset;
    this.#splitter = new LineSplitter(offset);
  }

  async #releaseRange(offset: number, length: number): Promise<void> {
    try {
      await this.#deps.file.release(offset, length);
    } catch (error) {
      this.#deps.log.warn("cannot free the disk space of shipped output", {
        error: messageOf(error),
      });
    }
  }
}

/**
 * Ships one container's output to a sink, from its file. The file is the queue: what is in memory is one batch and one
 * unfinished event. The sink is told which bytes of the output a batch is and remembers how far it is, so that neither a lost
 * answer nor a crash of either side loses a line or stores it twice. Gives up output only when the sink has been away for so
 * long that the file outgrew its limit, and says so.
 */

import { type Backoff, backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { ApiError, messageOf } from "../lib/errors.ts";
import type { LinearRegex } from "../lib/linear-regex.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { Output } from "./disk.ts";
import { LogBatch, type LogEvent } from "./log-batch.ts";
import type { PutResult } from "./log-destination.ts";
import type { OutputWatch } from "./output-file.ts";
import { OutputReader } from "./output-reader.ts";
import { Wake, waitForChange } from "./wake.ts";

/** How long the first line of a batch waits for others. Chosen: a person who follows a log does not notice. */
const FLUSH_MS = 250;
/** How often to look at the file when nobody tells of its growth, and when it is told and no notice came. */
const LOOK_MS = 1_000;
const LOOK_WATCHED_MS = 30_000;
/** Docker's awslogs driver: how long an event of several lines waits for its next line. */
const JOIN_MS = 5_000;
const RETRY_BACKOFF: Backoff = { firstMs: 250, factor: 2, maxMs: 10_000 };
/** Chosen: how long to go on trying when the container has ended and the sink is away; its files stay so long. */
const AFTER_END_MS = 3_600_000;
/** Chosen: the same when the sink answers that it will not have it (no right, no group), which somebody may still mend. */
const REFUSED_AFTER_END_MS = 300_000;
/** No word about the output: the machine's clock is wrong, or its keys are about to be renewed. As if the sink were away. */
const NOT_REFUSED: ReadonlySet<string> = new Set([
  "InvalidSignatureException",
  "UnrecognizedClientException",
]);
/**
 * CloudWatch Logs takes no event from more than two hours ahead; ten minutes of that are left for the way. After a clock was set
 * back, stamps are ahead for a while, so that lines stay in their order.
 */
const STAMP_AHEAD_MS_MAX = 110 * 60_000;
/** How much of the shipped prefix may stay on the disk. */
const RELEASE_BYTES = 16 * 2 ** 20;
/** Chosen: while the sink answers, a backlog up to this is only late, whatever may wait while it is away. */
const LATE_BYTES_MAX = 2 ** 30;

export interface LogShipperDeps {
  readonly file: Output;
  /** Stores the events, which are in order, of the output `from` a byte `to` another. Throws ApiError or UnavailableError. */
  readonly put: (
    events: readonly LogEvent[],
    range: { readonly from: number; readonly to: number },
    signal: AbortSignal,
  ) => Promise<PutResult>;
  /** Of the file, where to begin. */
  readonly offset: number;
  readonly saveOffset: (offset: number, durability: "quick" | "durable") => void;
  /** Matches the lines that begin an event; undefined: all do. */
  readonly startsEvent?: LinearRegex | undefined;
  /** Output that may wait while the sink is away; above it the oldest is dropped, down to half of it. */
  readonly spoolBytesMax: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** What became of a batch: the sink has the output up to `shipped`, or output up to `dropped` was given up. */
type Outcome = { readonly shipped: number } | { readonly dropped: number } | "over";

export class LogShipper {
  readonly #deps: LogShipperDeps;
  readonly #wake = new Wake();
  readonly #reader: OutputReader;
  /** Everything before it is shipped or given up. */
  #offset: number;
  #releasedOffset: number;
  #hasEnded = false;
  #isSaved = true;

  constructor(deps: LogShipperDeps) {
    this.#deps = deps;
    this.#offset = deps.offset;
    this.#releasedOffset = deps.offset;
    this.#reader = new OutputReader(deps);
  }

  /** Nothing more will be written to the file. */
  end(): void {
    this.#hasEnded = true;
    this.#wake.notify();
  }

  /** Ships until everything is shipped after `end()`, or the time for that is over, or `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    using watcher = this.#deps.file.watch(() => this.#wake.notify());
    await this.#reader.stampBacklog();
    while (!signal.aborted) {
      const batch = await this.#collect(watcher, signal);
      if (batch?.endOffset === undefined) return;
      const to = batch.endOffset;
      const outcome =
        batch.events.length > 0 ? await this.#ship(batch.events, to, signal) : { shipped: to };
      if (outcome === "over") return;
      if ("dropped" in outcome) await this.#skipTo(outcome.dropped);
      else await this.#advance(to, outcome.shipped);
    }
  }

  /** The next batch; without lines when there will be none; undefined when aborted. */
  async #collect(watcher: OutputWatch, signal: AbortSignal): Promise<LogBatch | undefined> {
    const { clock } = this.#deps;
    const reader = this.#reader;
    const batch = new LogBatch();
    let dueAt = Number.POSITIVE_INFINITY;
    while (!signal.aborted) {
      if (!reader.fill(batch)) return batch;
      // The least of all that were seen: a clock that is set back makes nobody wait.
      if (batch.endOffset !== undefined) dueAt = Math.min(dueAt, clock.now() + FLUSH_MS);
      if (clock.now() >= dueAt) return batch;
      // Both before the read: growth or an end that comes during it must not be missed.
      const change = this.#wake.next();
      const ended = this.#hasEnded;
      if (await reader.read()) continue;
      if (ended) {
        reader.finish();
        if (reader.fill(batch)) return batch;
        continue;
      }
      const { pendingSince = Number.POSITIVE_INFINITY } = reader;
      const joinedAt = pendingSince + JOIN_MS;
      const isSetBack = Number.isFinite(pendingSince) && pendingSince > clock.now();
      if (isSetBack || clock.now() >= joinedAt) reader.completeEvent();
      else {
        const lookMs = watcher.works ? LOOK_WATCHED_MS : LOOK_MS;
        const lookAt = Math.min(dueAt, joinedAt, clock.now() + lookMs);
        await waitForChange(clock, change, lookAt, signal);
      }
    }
    return undefined;
  }

  async #ship(events: readonly LogEvent[], to: number, signal: AbortSignal): Promise<Outcome> {
    const { clock, log, random } = this.#deps;
    // By what was waited, not by the clock: one that is set forward uses up no patience.
    let triedMs = 0;
    for (let failures = 1; ; failures++) {
      try {
        const range = { from: this.#offset, to };
        const inTime = notAfter(clock.now() + STAMP_AHEAD_MS_MAX, events);
        const { knownEnd, rejected } = await this.#deps.put(inTime, range, signal);
        if (rejected !== undefined) {
          log.error("the log service does not take output of such a time, which is lost", {
            rejected: JSON.stringify(rejected),
          });
        }
        return { shipped: knownEnd ?? to };
      } catch (error) {
        if (signal.aborted) return "over";
        const fields = { events: events.length, error: messageOf(error) };
        if (error instanceof ApiError && error.code === "InvalidParameterException") {
          log.error("the log service refused a batch of output, which is lost", fields);
          return { shipped: to };
        }
        const isRefused = error instanceof ApiError && !NOT_REFUSED.has(error.code);
        const patienceMs = isRefused ? REFUSED_AFTER_END_MS : AFTER_END_MS;
        if (triedMs > patienceMs) {
          log.error("gave up shipping the output of an ended container", fields);
          return "over";
        }
        if (failures === 1) log.warn("cannot ship output yet", fields);
        const dropped = await this.#findDrop(this.#deps.spoolBytesMax);
        if (dropped !== undefined) return { dropped };
        const pauseMs = backoffMs(RETRY_BACKOFF, failures, random);
        if (this.#hasEnded) triedMs += pauseMs;
        await clock.sleep(pauseMs, signal);
      }
    }
  }

  /** The sink has everything up to `shipped`, which is `expected` unless it knew of it already. */
  async #advance(expected: number, shipped: number): Promise<void> {
    const { file, spoolBytesMax } = this.#deps;
    // It knows of no more than there is: what it says is still not to be trusted with a jump beyond.
    const offset = shipped === expected ? shipped : Math.min(shipped, await file.size());
    if (offset !== expected) this.#reader.goTo(offset, { insideLine: false });
    this.#offset = offset;
    this.#save(offset, "quick");
    await this.#release(offset);
    const dropped = await this.#findDrop(Math.max(spoolBytesMax, LATE_BYTES_MAX));
    if (dropped !== undefined) await this.#skipTo(dropped);
  }

  async #release(shippedOffset: number): Promise<void> {
    if (shippedOffset - this.#releasedOffset < RELEASE_BYTES) return;
    // Else a loss of power could leave a saved offset inside the hole.
    if (this.#save(shippedOffset, "durable")) await this.#releaseUpTo(shippedOffset);
  }

  /** Where to go on when more waits than may; undefined when it does not. */
  async #findDrop(bytesMax: number): Promise<number | undefined> {
    const size = await this.#deps.file.size();
    return size - this.#offset > bytesMax ? size - Math.floor(bytesMax / 2) : undefined;
  }

  /** Gives up the output up to there. */
  async #skipTo(offset: number): Promise<void> {
    const { log } = this.#deps;
    const lostBytes = offset - this.#offset;
    log.error("the log service was away or too slow for too long: output is lost", { lostBytes });
    const isSaved = this.#save(offset, "durable");
    this.#offset = offset;
    this.#reader.goTo(offset, { insideLine: true });
    if (isSaved) await this.#releaseUpTo(offset);
  }

  /** False: it could not be written down. After a crash such output is sent again, and the sink knows it. */
  #save(offset: number, durability: "quick" | "durable"): boolean {
    const wasSaved = this.#isSaved;
    try {
      this.#deps.saveOffset(offset, durability);
      this.#isSaved = true;
    } catch (error) {
      this.#isSaved = false;
      const fields = { error: messageOf(error) };
      if (wasSaved) this.#deps.log.warn("cannot write down how far output is shipped", fields);
    }
    return this.#isSaved;
  }

  async #releaseUpTo(offset: number): Promise<void> {
    const from = this.#releasedOffset;
    try {
      await this.#deps.file.release(from, offset - from);
      this.#releasedOffset = offset;
    } catch (error) {
      this.#deps.log.warn("cannot free the disk space of shipped output", {
        error: messageOf(error),
      });
    }
  }
}

/** With no stamp after an instant. */
function notAfter(instant: number, events: readonly LogEvent[]): readonly LogEvent[] {
  if ((events.at(-1)?.timestamp ?? 0) <= instant) return events;
  return events.map((event) => ({ ...event, timestamp: Math.min(event.timestamp, instant) }));
}

import type { Clock } from "../lib/clock.ts";
import type { LinearRegex } from "../lib/linear-regex.ts";
import type { Output } from "./disk.ts";
import { EventJoiner } from "./event-joiner.ts";
import type { LogBatch, OutputEvent } from "./log-batch.ts";
import { LineSplitter } from "./log-lines.ts";

const READ_BYTES = 262_144;
/** CloudWatch Logs takes no event older than 14 days; a day of that is left for the way. */
const STAMP_AGE_MS_MAX: number = 13 * 24 * 60 * 60 * 1000;

interface OutputReaderDeps {
  readonly file: Output;
  readonly offset: number;
  readonly startsEvent?: LinearRegex | undefined;
  readonly clock: Clock;
}

/** Reads a container's output from its file as events. */
export class OutputReader {
  readonly #deps: OutputReaderDeps;
  #splitter: LineSplitter;
  #joiner: EventJoiner;
  /** Read, and not in a batch yet. */
  #events: OutputEvent[] = [];
  #readOffset: number;
  #lastTimestamp = 0;
  /** What was in the file before it was followed was last written to at this time. */
  #backlog: { readonly endOffset: number; readonly writtenAt: number } | undefined;

  constructor(deps: OutputReaderDeps) {
    this.#deps = deps;
    this.#readOffset = deps.offset;
    this.#splitter = new LineSplitter(deps.offset);
    this.#joiner = new EventJoiner(deps.startsEvent);
  }

  /** When the first line was read of an event that may not be complete; undefined when there is none. */
  get pendingSince(): number | undefined {
    return this.#joiner.pendingSince;
  }

  /**
   * A line is stamped with the time of reading it, which is soon after it was written. What is in the file now was written
   * while nobody read: no later than the file changed.
   */
  async stampBacklog(): Promise<void> {
    const { file } = this.#deps;
    this.#backlog = { endOffset: await file.size(), writtenAt: await file.modifiedAt() };
  }

  /** Reads on; false at the end of the file. */
  async read(): Promise<boolean> {
    const offset = this.#readOffset;
    const bytes = await this.#deps.file.read(offset, READ_BYTES);
    if (bytes.length === 0) return false;
    this.#readOffset += bytes.length;
    const stamp = this.#stamp(offset);
    for (const line of this.#splitter.push(bytes)) this.#join(line, stamp);
    return true;
  }

  /** Nothing will follow: what is unfinished is complete. */
  finish(): void {
    const stamp = this.#stamp(this.#readOffset);
    for (const line of this.#splitter.flush()) this.#join(line, stamp);
    this.completeEvent();
  }

  /** The event under way shall not wait for further lines. */
  completeEvent(): void {
    this.#events.push(...this.#joiner.flush());
  }

  /** Moves events into the batch; false when it is full. */
  fill(batch: LogBatch): boolean {
    const full = this.#events.findIndex((event) => !batch.add(event));
    this.#events = full === -1 ? [] : this.#events.slice(full);
    return full === -1;
  }

  /** Goes on from another place, forgetting what is read but not in a batch. */
  goTo(offset: number, { insideLine }: { readonly insideLine: boolean }): void {
    this.#readOffset = offset;
    this.#events = [];
    this.#splitter = new LineSplitter(offset, { insideLine });
    this.#joiner = new EventJoiner(this.#deps.startsEvent);
  }

  #join(line: Parameters<EventJoiner["push"]>[0], stamp: number): void {
    for (const event of this.#joiner.push(line, stamp, this.#deps.clock.now())) {
      this.#events.push(event);
    }
  }

  /** For what is read at `offset`. Time never runs backwards within a stream. */
  #stamp(offset: number): number {
    const now = this.#deps.clock.now();
    const { endOffset = 0, writtenAt = now } = this.#backlog ?? {};
    const isBacklog = offset < endOffset && writtenAt > now - STAMP_AGE_MS_MAX;
    this.#lastTimestamp = Math.max(this.#lastTimestamp, isBacklog ? Math.min(writtenAt, now) : now);
    return this.#lastTimestamp;
  }
}

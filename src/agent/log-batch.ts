import { EVENT_OVERHEAD_BYTES } from "./log-lines.ts";

/** CloudWatch Logs: limits of one PutLogEvents. */
const BATCH_BYTES_MAX = 1_048_576;
const BATCH_EVENTS_MAX = 10_000;
const BATCH_SPAN_MS_MAX: number = 24 * 60 * 60 * 1000;

/** As CloudWatch Logs takes it. */
export interface LogEvent {
  /** Epoch milliseconds. */
  readonly timestamp: number;
  readonly message: string;
}

/** One or several lines of output that make an event. */
export interface OutputEvent extends LogEvent {
  /** Of the file, behind the event. */
  readonly endOffset: number;
}

/** Events on their way into one PutLogEvents call. */
export class LogBatch {
  readonly events: LogEvent[] = [];
  /** Of the file, behind the last event added; undefined while there is none. */
  endOffset: number | undefined;
  #bytes = 0;

  /** Adds an event, in order of time, or returns false when the batch is full. Empty lines are no events, as in Docker's driver. */
  add({ timestamp, message, endOffset }: OutputEvent): boolean {
    if (message !== "") {
      const bytes = Buffer.byteLength(message) + EVENT_OVERHEAD_BYTES;
      const [first] = this.events;
      const isFull =
        this.events.length === BATCH_EVENTS_MAX ||
        this.#bytes + bytes > BATCH_BYTES_MAX ||
        timestamp - (first?.timestamp ?? timestamp) > BATCH_SPAN_MS_MAX;
      if (isFull) return false;
      this.events.push({ timestamp, message });
      this.#bytes += bytes;
    }
    this.endOffset = endOffset;
    return true;
  }
}

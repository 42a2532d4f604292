import type { LinearRegex } from "../lib/linear-regex.ts";
import type { OutputEvent } from "./log-batch.ts";
import { EVENT_MESSAGE_BYTES_MAX, type OutputLine } from "./log-lines.ts";

/** Makes events of lines: of each one, or of those from one that begins an event to the next such. */
export class EventJoiner {
  readonly #startsEvent: LinearRegex | undefined;
  #pending: OutputEvent | undefined;
  #pendingBytes = 0;
  #pendingSince = 0;

  /** `startsEvent` matches the lines that begin an event; undefined: all do. */
  constructor(startsEvent: LinearRegex | undefined) {
    this.#startsEvent = startsEvent;
  }

  /** When the first line was read of an event that may not be complete; undefined when there is none. */
  get pendingSince(): number | undefined {
    return this.#pending && this.#pendingSince;
  }

  /** The events that a line completes; it is read `now` and taken to be written at `timestamp`. */
  push(
    { message, endOffset, startsLine }: OutputLine,
    timestamp: number,
    now: number,
  ): readonly OutputEvent[] {
    if (this.#startsEvent === undefined) return [{ timestamp, message, endOffset }];
    const bytes = Buffer.byteLength(message);
    const joint = startsLine ? "\n" : "";
    const before = this.#pending;
    const isContinued =
      before !== undefined &&
      !(startsLine && this.#startsEvent.test(message)) &&
      this.#pendingBytes + joint.length + bytes <= EVENT_MESSAGE_BYTES_MAX;
    if (isContinued) {
      this.#pending = { ...before, message: before.message + joint + message, endOffset };
      this.#pendingBytes += joint.length + bytes;
      return [];
    }
    this.#pending = { timestamp, message, endOffset };
    this.#pendingBytes = bytes;
    this.#pendingSince = now;
    return before === undefined ? [] : [before];
  }

  /** The event under way, when it shall not wait for further lines. */
  flush(): readonly OutputEvent[] {
    const pending = this.#pending;
    this.#pending = undefined;
    return pending === undefined ? [] : [pending];
  }
}

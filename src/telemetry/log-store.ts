import { UnavailableError } from "../lib/errors.ts";

/**
 * The engine that keeps log lines: durable segment files. Knows streams by an opaque id, nothing of AWS.
 *
 * It does not own the list of streams. Whoever does gives every new stream an id never used before, and after a
 * crash removes again the streams it no longer knows: see {@link LogStore.streamIds}.
 */
export interface LogStore {
  /**
   * Appends events to a stream; a stream begins with its first append. Durable when it resolves.
   * Throws UnavailableError when it could not be made durable (disk full, overload): trying again may help. With a `part`,
   * throws {@link KnownPartError} instead of storing again what the stream has, whatever crashed in between.
   */
  append(streamId: string, events: readonly LogLine[], part?: OutputPart): Promise<void>;
  /** Events with `startAt <= timestamp < endAt`, in order of timestamp and then arrival, after or before `position`. */
  read(streamId: string, query: LogQuery): Promise<LogPage>;
  /**
   * The events of many streams together, in order of timestamp and time of ingestion, as far as one page and the work that one
   * call may do allow. Lets others run in between.
   */
  scan(streamIds: Iterable<string>, scan: LogScan): Promise<LogScanPage>;
  /** Bytes and times of a stream; undefined when it has no events. */
  stat(streamId: string): LogStreamStat | undefined;
  /** Calls `listener` with each change of a stream's `stat().bytes`, when it shows there; it must not throw. For ever. */
  subscribe(listener: (streamId: string, bytes: number) => void): void;
  /** The streams of which anything is kept. */
  streamIds(): Iterable<string>;
  /** Forgets a stream; space is reclaimed later. A crash before that may bring it back: see above. */
  remove(streamId: string): Promise<void>;
  /** Forgets events older than `before` (epoch ms), in whole chunks: some may stay readable for a while. */
  expire(streamId: string, before: number): Promise<void>;
  /** Waits for what was promised and lets go of the files. */
  close(): Promise<void>;
}

/** Which part of the one text that a writer writes events are: from byte, to byte. A stream remembers its last writer. */
export interface OutputPart {
  /** Unique for ever. */
  readonly writer: string;
  readonly from: number;
  readonly to: number;
}

/** The stream has the beginning of the part, or all of it: nothing was stored. */
export class KnownPartError extends Error {
  override readonly name = "KnownPartError";
  /** What the stream has of the writer ends here. */
  readonly end: number;

  constructor({ writer, from }: OutputPart, end: number) {
    super(`the stream has the output of ${writer} from ${from} up to ${end}`);
    this.end = end;
  }
}

/** The disk is (nearly) full. Making room helps: old groups deleted, a shorter retention. */
export class NoSpaceError extends UnavailableError {
  constructor(freeBytes: number) {
    const left = `${Math.floor(freeBytes / 2 ** 20)} MiB left`;
    super(`the disk of the log store is nearly full: ${left}`);
  }
}

export interface LogLine {
  /** Epoch milliseconds, as the caller gave it. */
  readonly timestamp: number;
  readonly ingestedAt: number;
  readonly message: string;
}

/**
 * A place between two events of a stream: before the event of this timestamp and arrival, whether or not there
 * is one. Stays valid for as long as the stream does.
 */
export interface LogPosition {
  readonly timestamp: number;
  /** Counts the events of the stream as they came in. */
  readonly arrival: number;
}

export interface TimeRange {
  readonly startAt?: number;
  readonly endAt?: number;
  readonly direction: "forward" | "backward";
  /** Of the position from which reading goes on. */
  readonly positionAt?: number;
}

export interface LogQuery {
  readonly startAt?: number;
  readonly endAt?: number;
  /** From a former page. Absent: the stream's start (forward) or end (backward). */
  readonly position?: LogPosition;
  readonly direction: "forward" | "backward";
  readonly limit: number;
  /** Stops before the page's messages exceed this many bytes of UTF-8; one event is always given. */
  readonly bytesMax: number;
}

export interface LogPage {
  /** Always oldest first. */
  readonly events: readonly LogLine[];
  /** Where the page begins and ends: `position` for reading on backward and forward. */
  readonly before: LogPosition;
  readonly after: LogPosition;
}

/** A place between two events of several streams, in the order of a scan: before the event it names. */
export interface ScanPosition extends LogPosition {
  readonly ingestedAt: number;
  readonly streamId: string;
}

export interface LogScan {
  readonly startAt?: number;
  readonly endAt?: number;
  readonly position?: ScanPosition;
  readonly direction: "forward" | "backward";
  readonly limit: number;
  readonly bytesMax: number;
  readonly matches: (message: string) => boolean;
  /** False only if no message that is a part of `text` matches: spares to look at each. */
  readonly mayMatch: (text: string) => boolean;
  /** Messages to look at before the page ends with what is found by then, in bytes of UTF-8. */
  readonly scanBytesMax: number;
}

export interface ScannedLine extends LogLine, ScanPosition {}

export interface LogScanPage {
  /** In reading order. */
  readonly events: readonly ScannedLine[];
  /** Where to go on; absent when everything has been looked at. */
  readonly next?: ScanPosition;
}

export interface LogStreamStat {
  readonly firstEventAt: number;
  readonly lastEventAt: number;
  readonly lastIngestionAt: number;
  /** UTF-8 bytes of the messages. */
  readonly bytes: number;
}

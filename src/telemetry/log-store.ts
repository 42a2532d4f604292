/** The engine that keeps log lines: durable segment files. Knows streams by an opaque id, nothing of AWS. */
export interface LogStore {
  /** Appends events (oldest first) to a stream. Durable when it resolves. */
  append(streamId: string, events: readonly LogLine[]): Promise<void>;
  /** Events with `startAt <= timestamp < endAt`, in order of timestamp and then arrival, after or before `position`. */
  read(streamId: string, query: LogQuery): Promise<LogPage>;
  /** Bytes and times of a stream; undefined when it has no events. */
  stat(streamId: string): LogStreamStat | undefined;
  /** Forgets a stream; space is reclaimed later. */
  remove(streamId: string): Promise<void>;
  close(): Promise<void>;
}

export interface LogLine {
  /** Epoch milliseconds, as the caller gave it. */
  readonly timestamp: number;
  readonly ingestedAt: number;
  readonly message: string;
}

export interface LogQuery {
  readonly startAt?: number;
  readonly endAt?: number;
  /** Exclusive: opaque place in the stream, from a former page. Absent: the stream's start (forward) or end (backward). */
  readonly position?: string;
  readonly direction: "forward" | "backward";
  readonly limit: number;
  /** Stops before the page's messages exceed this. */
  readonly bytesMax: number;
}

export interface LogPage {
  /** Always oldest first. */
  readonly events: readonly LogLine[];
  /** Where the page begins and ends: `position` for reading on backward and forward. */
  readonly before: string;
  readonly after: string;
}

export interface LogStreamStat {
  readonly firstEventAt: number;
  readonly lastEventAt: number;
  readonly lastIngestionAt: number;
  readonly bytes: number;
}

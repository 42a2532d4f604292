import { messageOf, UnavailableError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { ChunkQueue, type LocatedRun } from "./chunk-queue.ts";
import { DiskSpace } from "./disk-space.ts";
import { ChunkEncoder, type EncodedChunk, type StoredLine } from "./log-chunk.ts";
import {
  KnownPartError,
  type LogLine,
  type LogPage,
  type LogQuery,
  type LogScan,
  type LogScanPage,
  type LogStore,
  type LogStreamStat,
  NoSpaceError,
  type OutputPart,
} from "./log-store.ts";
import { commitHeadBytes, encodeCommit, type OutputMark } from "./output-marks.ts";
import { compareLines, readPage, scanPage } from "./read-page.ts";
import { CHUNK_BYTES } from "./rewrite-segment.ts";
import { openSegments, type Segments } from "./segments.ts";

export interface LogStoreOptions {
  /** Created when missing. One process at a time: the lock on the data directory sees to that. */
  readonly directory: string;
  readonly log: Log;
  /** A journal that reaches this is sealed. */
  readonly segmentBytesMax?: number;
}

/** Chosen: rewriting a segment of this size takes a few seconds of one core, in the background. */
const SEGMENT_BYTES_MAX = 64 * 1024 * 1024;
/** Chosen: one commit takes at most this much, so that no caller waits long behind others. */
const COMMIT_BYTES_MAX = 4 * 1024 * 1024;
/** Chosen: what may wait for the disk in memory before callers are turned away. */
const QUEUE_BYTES_MAX = 32 * 1024 * 1024;
/** What a line takes beside its text, roughly. */
const LINE_BYTES = 32;

/**
 * Opens the segment files of `directory`, or begins with none.
 *
 * Appends that come in while another is on its way to the disk share the next write and fdatasync (group commit).
 * Small appends make small chunks in the journal; when it is full it is rewritten in the background as a sealed
 * segment, sorted by stream, with chunks of full size. So durability never waits for a chunk to fill, and the small
 * chunks do not stay.
 */
export async function openLogStore(options: LogStoreOptions): Promise<LogStore> {
  const { directory, log, segmentBytesMax = SEGMENT_BYTES_MAX } = options;
  const segments = await openSegments({ directory, log, segmentBytesMax });
  return new SegmentLogStore(segments, new DiskSpace(directory));
}

interface Append {
  readonly streamId: string;
  readonly events: readonly LogLine[];
  readonly part: OutputPart | undefined;
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

interface Chunk extends EncodedChunk {
  readonly streamId: string;
}

class SegmentLogStore implements LogStore {
  readonly #segments: Segments;
  readonly #space: DiskSpace;
  readonly #encoder = new ChunkEncoder();
  #queue: Append[] = [];
  #queueBytes = 0;
  readonly #listeners: ((streamId: string, bytes: number) => void)[] = [];
  #committing: Promise<void> | undefined;
  #isClosed = false;

  constructor(segments: Segments, space: DiskSpace) {
    this.#segments = segments;
    this.#space = space;
  }

  append(streamId: string, events: readonly LogLine[], part?: OutputPart): Promise<void> {
    if (events.length === 0) return Promise.resolve();
    const bytes = events.reduce((sum, event) => sum + event.message.length + LINE_BYTES, 0);
    if (this.#isClosed) return Promise.reject(new UnavailableError("the log store is closed"));
    if (this.#queueBytes + bytes > QUEUE_BYTES_MAX) {
      const waiting = `${this.#queueBytes} bytes wait for the disk`;
      return Promise.reject(new UnavailableError(`the log store is behind: ${waiting}`));
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ streamId, events, part, bytes, resolve, reject });
      this.#queueBytes += bytes;
      this.#committing ??= this.#commitAll();
    });
  }

  read(streamId: string, query: LogQuery): Promise<LogPage> {
    return this.#look([streamId], query, (queue) => readPage(queue, query));
  }

  scan(streamIds: Iterable<string>, scan: LogScan): Promise<LogScanPage> {
    return this.#look(streamIds, scan, (queue) => scanPage(queue, scan));
  }

  stat(streamId: string): LogStreamStat | undefined {
    const runs = this.#segments.of(streamId).flatMap(({ runs }) => runs.get(streamId) ?? []);
    if (runs.length === 0) return undefined;
    return {
      firstEventAt: Math.min(...runs.map((run) => run.firstEventAt)),
      lastEventAt: Math.max(...runs.map((run) => run.lastEventAt)),
      lastIngestionAt: Math.max(...runs.map((run) => run.lastIngestionAt)),
      bytes: runs.reduce((sum, run) => sum + run.messageBytes, 0),
    };
  }

  streamIds(): Iterable<string> {
    return this.#segments.streamIds();
  }

  async remove(streamId: string): Promise<void> {
    this.#tell(streamId, -this.#segments.forget(streamId, Infinity));
  }

  async expire(streamId: string, before: number): Promise<void> {
    this.#tell(streamId, -this.#segments.forget(streamId, before));
  }

  subscribe(listener: (streamId: string, bytes: number) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#committing;
    await this.#segments.close();
  }

  #tell(streamId: string, bytes: number): void {
    if (bytes === 0) return;
    for (const listener of this.#listeners) listener(streamId, bytes);
  }

  /** Has `work` look at the chunks of streams in a range, whose segments stay open for so long. */
  async #look<T>(
    streamIds: Iterable<string>,
    query: LogQuery | LogScan,
    work: (queue: ChunkQueue) => Promise<T>,
  ): Promise<T> {
    const runs: LocatedRun[] = [];
    for (const streamId of streamIds) {
      for (const segment of this.#segments.of(streamId)) {
        const run = segment.runs.get(streamId);
        if (run !== undefined) runs.push({ streamId, segment, run });
      }
    }
    const releases = [...new Set(runs.map(({ segment }) => segment))].map((one) => one.hold());
    try {
      const { position } = query;
      const range = { ...query, ...(position && { positionAt: position.timestamp }) };
      return await work(new ChunkQueue(runs, range));
    } finally {
      await Promise.all(releases.map((release) => release()));
    }
  }

  /** Commits until nothing waits. Never rejects: who waits is told. */
  async #commitAll(): Promise<void> {
    // Gives the other callers of this turn of the event loop the chance to share the commit.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#withoutKnown(this.#takeBatch());
      if (batch.length === 0) continue;
      try {
        await this.#commit(batch);
        for (const append of batch) append.resolve();
      } catch (error) {
        const failure = failureOf(error);
        for (const append of batch) append.reject(failure);
      }
    }
    this.#committing = undefined;
  }

  #takeBatch(): Append[] {
    let bytes = 0;
    let count = 0;
    for (const append of this.#queue) {
      if (count > 0 && bytes + append.bytes > COMMIT_BYTES_MAX) break;
      bytes += append.bytes;
      count++;
    }
    this.#queueBytes -= bytes;
    return this.#queue.splice(0, count);
  }

  async #commit(batch: readonly Append[]): Promise<void> {
    const journal = await this.#segments.writableJournal();
    const chunks = [...this.#linesByStream(batch)].flatMap(([streamId, lines]) =>
      splitLines(lines).map(
        (part): Chunk => ({ streamId, ...this.#encoder.encode(streamId, part) }),
      ),
    );
    const frames = chunks.map(({ frame }) => frame);
    await this.#space.reserve(frames.reduce((sum, frame) => sum + frame.length, 0));
    const marks = new Map(
      batch.flatMap(({ streamId, part }) =>
        part ? [[streamId, { writer: part.writer, end: part.to }] as const] : [],
      ),
    );
    const isMarked = marks.size > 0;
    const data = isMarked ? [encodeCommit(marks, frames)] : frames;
    let offset = (await journal.append(data)) + (isMarked ? commitHeadBytes(marks) : 0);
    for (const { streamId, summary, frame } of chunks) {
      this.#segments.add(journal.segment, streamId, { summary, offset, length: frame.length });
      this.#tell(streamId, summary.messageBytes);
      offset += frame.length;
    }
    for (const [streamId, mark] of marks) this.#segments.mark(journal.segment, streamId, mark);
  }

  /** Turns away what its stream has already, be it from this very batch. */
  #withoutKnown(batch: readonly Append[]): Append[] {
    const marks = new Map<string, OutputMark>();
    return batch.filter(({ streamId, part, reject }) => {
      if (part === undefined) return true;
      const mark = marks.get(streamId) ?? this.#segments.markOf(streamId);
      if (mark?.writer === part.writer && mark.end > part.from) {
        reject(new KnownPartError(part, mark.end));
        return false;
      }
      marks.set(streamId, { writer: part.writer, end: part.to });
      return true;
    });
  }

  #linesByStream(batch: readonly Append[]): Map<string, StoredLine[]> {
    const byStream = new Map<string, StoredLine[]>();
    for (const { streamId, events } of batch) {
      const lines = byStream.get(streamId) ?? [];
      byStream.set(streamId, lines);
      let arrival = this.#segments.takeArrivals(streamId, events.length);
      for (const { timestamp, ingestedAt, message } of events) {
        const bytes = Buffer.byteLength(message);
        lines.push({ timestamp, ingestedAt, message, bytes, arrival: arrival++ });
      }
    }
    return byStream;
  }
}

function failureOf(error: unknown): UnavailableError {
  if (error instanceof NoSpaceError) return error;
  if ((error as NodeJS.ErrnoException).code === "ENOSPC") return new NoSpaceError(0);
  return new UnavailableError(`cannot write log events: ${messageOf(error)}`, { cause: error });
}

/** Lines in order, in parts that make a chunk of the usual size each. */
function splitLines(lines: StoredLine[]): StoredLine[][] {
  lines.sort(compareLines);
  const parts: StoredLine[][] = [];
  let part: StoredLine[] = [];
  let bytes = Infinity;
  for (const line of lines) {
    if (bytes + line.bytes > CHUNK_BYTES) {
      part = [];
      parts.push(part);
      bytes = 0;
    }
    part.push(line);
    bytes += line.bytes + LINE_BYTES;
  }
  return parts;
}

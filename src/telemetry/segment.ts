import { type FileHandle, open } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { InvariantError } from "../lib/errors.ts";
import type { LocatedChunk } from "./chunk-queue.ts";
import { decodeFrame } from "./frame.ts";
import type { ChunkSummary } from "./log-chunk.ts";
import type { OutputMark, OutputMarks } from "./output-marks.ts";
import { type ChunkRef, Run } from "./run.ts";

/**
 * One segment file and the index of what is live in it.
 *
 * `journal`: frames in the order in which they were committed; the newest one is appended to. `sealed`: rewritten by
 * stream with small chunks merged, ending in a footer that repeats the index; never changes again.
 * The file stays open for the segment's life, so that readers are not disturbed when a rewrite takes its place.
 */
export type SegmentKind = "journal" | "sealed";

/** Chosen: reading this much too much costs less than a second read. */
const READ_GAP_BYTES_MAX = 16 * 1024;
/** Chosen: the longest single read, so that far-apart needs do not add up to one huge buffer. */
const READ_BYTES_MAX = 1024 * 1024;
/** Chosen: unpacking and matching so much takes some milliseconds, after which others have their turn. */
const TURN_BYTES_MAX = 512 * 1024;

export class Segment {
  readonly id: number;
  readonly kind: SegmentKind;
  readonly path: string;
  readonly handle: FileHandle;
  readonly #runs = new Map<string, Run>();
  readonly #marks = new Map<string, OutputMark>();
  /** Bytes of frames that were ever indexed, live or not. */
  #bytes = 0;
  #liveBytes = 0;
  #readerCount = 0;
  #isRetired = false;

  constructor(options: { id: number; kind: SegmentKind; path: string; handle: FileHandle }) {
    this.id = options.id;
    this.kind = options.kind;
    this.path = options.path;
    this.handle = options.handle;
  }

  get runs(): ReadonlyMap<string, Run> {
    return this.#runs;
  }
  /** How far the writers of its streams were when it was written. */
  get marks(): OutputMarks {
    return this.#marks;
  }
  get bytes(): number {
    return this.#bytes;
  }
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** Indexes the chunk whose frame lies at `offset`. */
  add(streamId: string, summary: ChunkSummary, offset: number, length: number): void {
    let run = this.#runs.get(streamId);
    if (run === undefined) {
      run = new Run();
      this.#runs.set(streamId, run);
    }
    run.add({ ...summary, segmentId: this.id, offset, length });
    this.#bytes += length;
    this.#liveBytes += length;
  }

  mark(streamId: string, mark: OutputMark): void {
    this.#marks.set(streamId, mark);
  }

  /** Drops the stream's chunks whose events are all older than `before` (Infinity: every one). Returns their messages' bytes. */
  forget(streamId: string, before: number): number {
    if (before === Infinity) this.#marks.delete(streamId);
    const run = this.#runs.get(streamId);
    if (run === undefined) return 0;
    const rest = run.since(before);
    this.#liveBytes -= run.bytes - rest.bytes;
    if (rest.chunks.length === 0) this.#runs.delete(streamId);
    else this.#runs.set(streamId, rest);
    return run.messageBytes - rest.messageBytes;
  }

  /** The bodies of chunks as they lie in the file. */
  async readBodies(chunks: readonly ChunkRef[]): Promise<ReadonlyMap<ChunkRef, Buffer>> {
    const bodies = new Map<ChunkRef, Buffer>();
    // Copied: a view would keep all of the read it came with in memory.
    await this.visit(chunks, (chunk, body) => bodies.set(chunk, Buffer.from(body)));
    return bodies;
  }

  /** Bytes of the file, whatever is in them. */
  async fileBytes(): Promise<number> {
    return (await this.handle.stat()).size;
  }

  /** `length` bytes of the file. Throws when it ends before. */
  async readBytes(offset: number, length: number): Promise<Buffer> {
    return this.fill(Buffer.allocUnsafeSlow(length), offset);
  }

  /** Fills `data` from the file. Throws when it ends before. */
  async fill(data: Buffer, offset: number): Promise<Buffer> {
    for (let filled = 0; filled < data.length; ) {
      const rest = data.length - filled;
      const { bytesRead } = await this.handle.read(data, filled, rest, offset + filled);
      if (bytesRead === 0) throw new InvariantError(`log segment ${this.path} is too short`);
      filled += bytesRead;
    }
    return data;
  }

  /** Keeps the file open until the returned function is called, even when the segment is retired meanwhile. */
  hold(): () => Promise<void> {
    this.#readerCount++;
    return async () => {
      this.#readerCount--;
      await this.#closeWhenUnused();
    };
  }

  /** Nobody will begin to read it any more: closes the file after the last reader. */
  async retire(): Promise<void> {
    this.#isRetired = true;
    await this.#closeWhenUnused();
  }

  /**
   * Shows the bodies of chunks in order of their place, as views that are good during the call only. The caller holds the
   * segment ({@link hold}). Throws when one is damaged.
   */
  async visit<C extends ChunkRef>(
    chunks: readonly C[],
    show: (chunk: C, body: Buffer) => void,
  ): Promise<void> {
    let shownBytes = 0;
    const groups = groupNear(chunks);
    // One for all reads: buffers outside the heap pile up faster than the collector takes them for urgent.
    const buffer = Buffer.allocUnsafeSlow(Math.max(0, ...groups.map(spanOf)));
    for (const near of groups) {
      const start = near[0]?.offset ?? 0;
      const data = await this.fill(buffer.subarray(0, spanOf(near)), start);
      for (const chunk of near) {
        const body = decodeFrame(data, chunk.offset - start);
        if (body === undefined) {
          throw new InvariantError(`log segment ${this.path} is damaged at byte ${chunk.offset}`);
        }
        show(chunk, body);
        shownBytes += chunk.payloadBytes;
        if (shownBytes < TURN_BYTES_MAX) continue;
        shownBytes = 0;
        await setImmediate();
      }
    }
  }

  async #closeWhenUnused(): Promise<void> {
    if (this.#isRetired && this.#readerCount === 0) await this.handle.close();
  }
}

/** {@link Segment.visit} for chunks of several segments. */
export async function visitBodies(
  chunks: readonly LocatedChunk[],
  show: (chunk: LocatedChunk, body: Buffer) => void,
): Promise<void> {
  for (const [segment, own] of Map.groupBy(chunks, (one) => one.segment)) {
    const byRef = new Map(own.map((one) => [one.chunk, one]));
    await segment.visit([...byRef.keys()], (ref, body) => {
      const located = byRef.get(ref);
      if (located !== undefined) show(located, body);
    });
  }
}

/** Bytes of the file from the first of some neighbours to the end of the last. */
function spanOf(near: readonly ChunkRef[]): number {
  const last = near.at(-1);
  return (last?.offset ?? 0) + (last?.length ?? 0) - (near[0]?.offset ?? 0);
}

/** Chunks in groups that are worth one read each, in order of their place. */
function groupNear<C extends ChunkRef>(chunks: readonly C[]): C[][] {
  const groups: C[][] = [];
  let group: C[] = [];
  let start = 0;
  let end = 0;
  for (const chunk of chunks.toSorted((a, b) => a.offset - b.offset)) {
    const isNear = chunk.offset - end <= READ_GAP_BYTES_MAX;
    if (!isNear || chunk.offset + chunk.length - start > READ_BYTES_MAX || groups.length === 0) {
      group = [];
      groups.push(group);
      start = chunk.offset;
    }
    group.push(chunk);
    end = chunk.offset + chunk.length;
  }
  return groups;
}

/** Makes the names in a directory (created, renamed, removed files) durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

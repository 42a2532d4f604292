import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { createJournal, Journal } from "./journal.ts";
import type { ChunkSummary } from "./log-chunk.ts";
import type { OutputMark } from "./output-marks.ts";
import { rewriteSegment, TEMPORARY_SUFFIX } from "./rewrite-segment.ts";
import type { Segment } from "./segment.ts";
import { openSegment, parseSegmentName, segmentPath } from "./segment-file.ts";

export interface SegmentsOptions {
  readonly directory: string;
  readonly log: Log;
  readonly segmentBytesMax: number;
}

/** Chosen: so many full journals may wait for their rewrite before appends wait for it too. */
const FULL_JOURNALS_MAX = 4;

/** A chunk that has become durable. */
export interface WrittenChunk {
  readonly summary: ChunkSummary;
  /** Of its frame in the segment's file. */
  readonly offset: number;
  readonly length: number;
}

interface StreamState {
  nextArrival: number;
  mark?: OutputMark;
  /** In order of age. */
  segments: readonly Segment[];
}

/** Reads what is in `directory` and clears away what a crash left over. */
export async function openSegments(options: SegmentsOptions): Promise<Segments> {
  const { directory, log } = options;
  await mkdir(directory, { recursive: true });
  const names = await readdir(directory);
  for (const name of names.filter((name) => name.endsWith(TEMPORARY_SUFFIX))) {
    await rm(join(directory, name));
  }
  const files = names.flatMap((name) => parseSegmentName(name) ?? []).sort((a, b) => a.id - b.id);
  const sealed = new Set(files.filter(({ kind }) => kind === "sealed").map(({ id }) => id));
  const segments: Segment[] = [];
  for (const { id, kind } of files) {
    if (kind === "journal" && sealed.has(id)) {
      await rm(segmentPath(directory, id, kind));
      continue;
    }
    const { segment, cutBytes } = await openSegment(directory, id, kind);
    if (cutBytes > 0) log.warn("cut off an unfinished write", { path: segment.path, cutBytes });
    segments.push(segment);
  }
  const last = segments.at(-1);
  const journal =
    last?.kind === "journal"
      ? new Journal(last, await last.fileBytes())
      : await createJournal(directory, (last?.id ?? 0) + 1);
  return new Segments(
    options,
    journal,
    last === journal.segment ? segments : [...segments, journal.segment],
  );
}

/** All segments, which streams they hold, and the upkeep that keeps them few and dense. */
export class Segments {
  readonly #options: SegmentsOptions;
  /** In order of id. The last one is the journal's. */
  #segments: Segment[];
  #journal: Journal;
  /** Never used twice, not even for a journal that could not be made. */
  #nextId: number;
  readonly #streams = new Map<string, StreamState>();
  #upkeep: Promise<void> | undefined;
  #isUpkeepWanted = false;
  #isClosed = false;

  constructor(options: SegmentsOptions, journal: Journal, segments: Segment[]) {
    this.#options = options;
    this.#journal = journal;
    this.#segments = segments;
    this.#nextId = journal.segment.id + 1;
    for (const segment of segments) {
      for (const [streamId, run] of segment.runs) {
        const state = this.#stateOf(streamId);
        state.nextArrival = Math.max(state.nextArrival, run.lastArrival + 1);
        state.segments = [...state.segments, segment];
      }
      for (const [streamId, mark] of segment.marks) {
        const state = this.#streams.get(streamId);
        if (state !== undefined) state.mark = mark;
      }
    }
    this.#wantUpkeep();
  }

  /** The segments that hold something of a stream. */
  of(streamId: string): readonly Segment[] {
    return this.#streams.get(streamId)?.segments ?? [];
  }

  streamIds(): Iterable<string> {
    return this.#streams.keys();
  }

  /** Gives out `count` arrival numbers of a stream and returns the first. */
  takeArrivals(streamId: string, count: number): number {
    const state = this.#stateOf(streamId);
    const first = state.nextArrival;
    state.nextArrival += count;
    return first;
  }

  /** Notes a chunk that has become durable. */
  add(segment: Segment, streamId: string, chunk: WrittenChunk): void {
    segment.add(streamId, chunk.summary, chunk.offset, chunk.length);
    const state = this.#stateOf(streamId);
    if (!state.segments.includes(segment)) state.segments = [...state.segments, segment];
    state.nextArrival = Math.max(state.nextArrival, chunk.summary.lastArrival + 1);
  }

  /** How far the last writer of a stream is. */
  markOf(streamId: string): OutputMark | undefined {
    return this.#streams.get(streamId)?.mark;
  }

  /** Notes how far a writer is, which has become durable. */
  mark(segment: Segment, streamId: string, mark: OutputMark): void {
    segment.mark(streamId, mark);
    this.#stateOf(streamId).mark = mark;
  }

  /** Drops a stream's chunks whose events are all older than `before` (Infinity: the whole stream). Returns their messages' bytes. */
  forget(streamId: string, before: number): number {
    const state = this.#streams.get(streamId);
    if (state === undefined) return 0;
    let bytes = 0;
    for (const segment of state.segments) bytes += segment.forget(streamId, before);
    state.segments = state.segments.filter(({ runs }) => runs.has(streamId));
    if (before === Infinity) this.#streams.delete(streamId);
    this.#wantUpkeep();
    return bytes;
  }

  /** The journal to append to: a new one when the present one is full or damaged. */
  async writableJournal(): Promise<Journal> {
    const { directory, segmentBytesMax } = this.#options;
    if (this.#journal.isSound && this.#journal.end < segmentBytesMax) return this.#journal;
    const full = this.#segments.filter(({ kind }) => kind === "journal").length;
    if (full > FULL_JOURNALS_MAX) await this.#upkeep;
    this.#journal = await createJournal(directory, this.#nextId++);
    this.#segments = [...this.#segments, this.#journal.segment];
    this.#wantUpkeep();
    return this.#journal;
  }

  /** Waits for the upkeep under way and closes the files. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#upkeep;
    for (const segment of this.#segments) await segment.retire();
  }

  #stateOf(streamId: string): StreamState {
    let state = this.#streams.get(streamId);
    if (state === undefined) {
      state = { nextArrival: 0, segments: [] };
      this.#streams.set(streamId, state);
    }
    return state;
  }

  #wantUpkeep(): void {
    this.#isUpkeepWanted = true;
    this.#upkeep ??= this.#keepUp();
  }

  /** Rewrites what needs it. What fails (disk full) is tried again at the next occasion. */
  async #keepUp(): Promise<void> {
    // Lets the caller note the promise first.
    await Promise.resolve();
    while (this.#isUpkeepWanted && !this.#isClosed) {
      this.#isUpkeepWanted = false;
      for (const segment of this.#segments.filter((each) => this.#needsRewrite(each))) {
        if (this.#isClosed) break;
        try {
          await this.#replace(segment);
        } catch (error) {
          const fields = { path: segment.path, error: messageOf(error) };
          this.#options.log.warn("cannot compact a log segment", fields);
        }
      }
    }
    this.#upkeep = undefined;
  }

  #needsRewrite(segment: Segment): boolean {
    if (segment === this.#journal.segment) return false;
    const { kind, bytes, liveBytes } = segment;
    return kind === "journal" || liveBytes === 0 || liveBytes < bytes / 2;
  }

  async #replace(old: Segment): Promise<void> {
    const fresh = old.liveBytes > 0 ? await rewriteSegment(old) : undefined;
    // From here to the end of the loop nothing waits, so that readers see either the old one or the new one.
    this.#segments = this.#segments.flatMap((each) => (each === old ? (fresh ?? []) : each));
    for (const streamId of fresh?.runs.keys() ?? []) {
      const state = this.#streams.get(streamId);
      if (state?.segments.includes(old)) {
        state.segments = state.segments.map((each) => (each === old && fresh ? fresh : each));
      } else fresh?.forget(streamId, Infinity);
    }
    if (fresh === undefined || fresh.path !== old.path) await rm(old.path, { force: true });
    await old.retire();
  }
}

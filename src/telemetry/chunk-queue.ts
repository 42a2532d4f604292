import { Heap } from "../lib/heap.ts";
import type { TimeRange } from "./log-store.ts";
import type { ChunkRef, Run } from "./run.ts";
import type { Segment } from "./segment.ts";

/** A chunk, and whose it is. */
export interface LocatedChunk {
  readonly streamId: string;
  readonly segment: Segment;
  readonly chunk: ChunkRef;
}

export interface LocatedRun {
  readonly streamId: string;
  readonly segment: Segment;
  readonly run: Run;
}

interface Entry extends LocatedRun {
  /** Undefined: the run, whose chunks are not in the queue yet. */
  readonly chunk?: ChunkRef;
  /** The timestamp that reading meets first. */
  readonly edge: number;
}

/**
 * The chunks of many streams that may hold events of a time range, in the order in which reading meets their first event.
 * This is the index by time: it takes no more looks than there are runs in the range and chunks asked for.
 */
export class ChunkQueue {
  readonly #heap: Heap<Entry>;
  readonly #range: TimeRange;

  constructor(runs: Iterable<LocatedRun>, range: TimeRange) {
    const sign = range.direction === "forward" ? 1 : -1;
    this.#range = range;
    this.#heap = new Heap((a, b) => sign * (a.edge - b.edge));
    for (const located of runs) {
      if (isInRange(located.run, range)) {
        this.#heap.push({ ...located, edge: edgeOf(located.run, range) });
      }
    }
  }

  /** Nothing in the chunks still to come lies before this, in reading order; undefined when there are none. */
  get edge(): number | undefined {
    this.#open();
    return this.#heap.peek()?.edge;
  }

  next(): LocatedChunk | undefined {
    this.#open();
    const entry = this.#heap.pop();
    if (entry?.chunk === undefined) return undefined;
    return { streamId: entry.streamId, segment: entry.segment, chunk: entry.chunk };
  }

  /** Replaces runs that are next by their chunks. */
  #open(): void {
    for (let first = this.#heap.peek(); first && !first.chunk; first = this.#heap.peek()) {
      this.#heap.pop();
      const { streamId, segment, run } = first;
      for (const chunk of run.chunks) {
        if (!isInRange(chunk, this.#range)) continue;
        this.#heap.push({ streamId, segment, run, chunk, edge: edgeOf(chunk, this.#range) });
      }
    }
  }
}

interface Span {
  readonly firstEventAt: number;
  readonly lastEventAt: number;
}

/** Whether something of this span may hold events that are wanted. */
function isInRange({ firstEventAt, lastEventAt }: Span, range: TimeRange): boolean {
  const { startAt = -Infinity, endAt = Infinity, direction, positionAt } = range;
  if (lastEventAt < startAt || firstEventAt >= endAt) return false;
  if (positionAt === undefined) return true;
  return direction === "forward" ? lastEventAt >= positionAt : firstEventAt <= positionAt;
}

function edgeOf({ firstEventAt, lastEventAt }: Span, { direction }: TimeRange): number {
  return direction === "forward" ? firstEventAt : lastEventAt;
}

import type { ChunkSummary } from "./log-chunk.ts";

/** A chunk and the place of its frame. */
export interface ChunkRef extends ChunkSummary {
  readonly segmentId: number;
  /** In the segment's file. */
  readonly offset: number;
  /** Bytes of the whole frame. */
  readonly length: number;
}

/** What one segment holds of one stream. */
export class Run {
  #chunks: ChunkRef[] = [];
  firstEventAt: number = Infinity;
  lastEventAt: number = -Infinity;
  lastIngestionAt = 0;
  lastArrival = 0;
  messageBytes = 0;
  /** Bytes of the frames. */
  bytes = 0;

  /** In order of arrival. */
  get chunks(): readonly ChunkRef[] {
    return this.#chunks;
  }

  add(chunk: ChunkRef): void {
    this.#chunks.push(chunk);
    this.firstEventAt = Math.min(this.firstEventAt, chunk.firstEventAt);
    this.lastEventAt = Math.max(this.lastEventAt, chunk.lastEventAt);
    this.lastIngestionAt = Math.max(this.lastIngestionAt, chunk.lastIngestionAt);
    this.lastArrival = Math.max(this.lastArrival, chunk.lastArrival);
    this.messageBytes += chunk.messageBytes;
    this.bytes += chunk.length;
  }

  /** This run without the chunks whose events are all older than `before`; the same run when there are none. */
  since(before: number): Run {
    if (this.firstEventAt >= before) return this;
    const rest = new Run();
    for (const chunk of this.#chunks) if (chunk.lastEventAt >= before) rest.add(chunk);
    return rest.#chunks.length === this.#chunks.length ? this : rest;
  }
}

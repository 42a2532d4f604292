import type { ChunkSummary, StoredLine } from "./log-chunk.ts";
import type { LogPage, LogPosition, LogQuery } from "./log-store.ts";

type Span = Pick<ChunkSummary, "firstEventAt" | "lastEventAt" | "count" | "messageBytes">;

/** Unpacks chunks, in any order. */
export type LoadChunks<C> = (chunks: readonly C[]) => Promise<readonly StoredLine[]>;

/** Chosen: what one round of loading may bring into memory when a page needs less than it. */
const ROUND_BYTES_MAX = 4 * 1024 * 1024;

/**
 * One page of a stream; the events in question lie in `chunks`. Chunks may overlap in time (events that came late): they are
 * loaded in reading order, and a line is final once no chunk still to come can hold an earlier one. Holds no more
 * than a page and one round in memory.
 */
export async function readPage<C extends Span>(
  chunks: readonly C[],
  query: LogQuery,
  load: LoadChunks<C>,
): Promise<LogPage> {
  const sign = query.direction === "forward" ? 1 : -1;
  const waiting = inReadingOrder(chunks, query);
  let page: StoredLine[] = [];
  // The first line that did not fit: nothing from there on belongs to this page, whatever is loaded later.
  let leftOut: StoredLine | undefined;
  for (let next = 0; next < waiting.length; ) {
    const round = takeRound(waiting, next, query);
    next += round.length;
    const fresh = (await load(round)).filter(
      (line) =>
        isWanted(line, query) && (leftOut === undefined || sign * compareLines(line, leftOut) < 0),
    );
    const candidates = [...page, ...fresh].sort((a, b) => sign * compareLines(a, b));
    page = takeLines(candidates, query);
    leftOut = candidates[page.length] ?? leftOut;
    const isFull = leftOut !== undefined || page.length === query.limit;
    const chunk = waiting[next];
    const last = page.at(-1);
    if (!isFull || chunk === undefined || last === undefined) continue;
    // Not on a tie: the next chunk may hold an event of the same millisecond that arrived earlier.
    if (sign * (edge(chunk, query) - last.timestamp) > 0) break;
  }
  if (query.direction === "backward") page.reverse();
  return {
    events: page,
    before: positionAt(page[0], 0) ?? emptyPagePosition(query),
    after: positionAt(page.at(-1), 1) ?? emptyPagePosition(query),
  };
}

/** Whether a chunk may hold events that the query wants. Readers leave out the others. */
export function isInRange(
  chunk: Pick<ChunkSummary, "firstEventAt" | "lastEventAt">,
  query: LogQuery,
): boolean {
  const { startAt = -Infinity, endAt = Infinity, position } = query;
  if (chunk.lastEventAt < startAt || chunk.firstEventAt >= endAt) return false;
  if (position === undefined) return true;
  return query.direction === "forward"
    ? chunk.lastEventAt >= position.timestamp
    : chunk.firstEventAt <= position.timestamp;
}

function inReadingOrder<C extends Span>(chunks: readonly C[], query: LogQuery): readonly C[] {
  return query.direction === "forward"
    ? chunks.toSorted((a, b) => a.firstEventAt - b.firstEventAt)
    : chunks.toSorted((a, b) => b.lastEventAt - a.lastEventAt);
}

/** The chunk's timestamp that reading meets first. */
function edge(chunk: Span, query: LogQuery): number {
  return query.direction === "forward" ? chunk.firstEventAt : chunk.lastEventAt;
}

/** As many of the next chunks as would fill a page if all their lines were wanted; at least one. */
function takeRound<C extends Span>(waiting: readonly C[], next: number, query: LogQuery): C[] {
  const bytesMax = Math.min(query.bytesMax, ROUND_BYTES_MAX);
  const round: C[] = [];
  let count = 0;
  let bytes = 0;
  for (let i = next; i < waiting.length && count < query.limit && bytes < bytesMax; i++) {
    const chunk = waiting[i];
    if (chunk === undefined) break;
    round.push(chunk);
    count += chunk.count;
    bytes += chunk.messageBytes;
  }
  return round;
}

function isWanted(line: StoredLine, query: LogQuery): boolean {
  const { startAt = -Infinity, endAt = Infinity, position } = query;
  if (line.timestamp < startAt || line.timestamp >= endAt) return false;
  if (position === undefined) return true;
  const order = compareLines(line, position);
  return query.direction === "forward" ? order >= 0 : order < 0;
}

/** Order in a stream: timestamp, then arrival. */
export function compareLines(a: LogPosition, b: LogPosition): number {
  return a.timestamp - b.timestamp || a.arrival - b.arrival;
}

/** The leading lines that fit into a page. */
function takeLines(lines: readonly StoredLine[], query: LogQuery): StoredLine[] {
  let bytes = 0;
  let count = 0;
  for (const line of lines) {
    bytes += line.bytes;
    if (count === query.limit || (count > 0 && bytes > query.bytesMax)) break;
    count++;
  }
  return lines.slice(0, count);
}

function positionAt(line: StoredLine | undefined, arrivals: number): LogPosition | undefined {
  return line && { timestamp: line.timestamp, arrival: line.arrival + arrivals };
}

/** Nothing found: reading on forward from here finds what comes in later. */
function emptyPagePosition(query: LogQuery): LogPosition {
  return query.position ?? { timestamp: query.startAt ?? 0, arrival: 0 };
}

import type { ChunkQueue, LocatedChunk } from "./chunk-queue.ts";
import type { LogQuery } from "./log-store.ts";

/** What a page needs to know of a line. */
interface Sized {
  readonly timestamp: number;
  /** UTF-8 bytes of the message. */
  readonly bytes: number;
}

export interface PageRules<L> extends Pick<LogQuery, "direction" | "limit" | "bytesMax"> {
  /** The timestamp at which reading goes on; absent at the beginning. */
  readonly positionAt?: number | undefined;
  /** The order of lines, oldest first; no two are equal. */
  readonly compare: (a: L, b: L) => number;
  /** Unpacks chunks and leaves out what is not wanted; in any order. */
  readonly load: (chunks: readonly LocatedChunk[]) => Promise<readonly L[]>;
  /** Messages to look at before the page ends with what is certain by then. It always gets on by a millisecond. */
  readonly scanBytesMax: number;
}

export interface Page<L> {
  /** In reading order. */
  readonly lines: readonly L[];
  /** Whether there may be more lines, behind the last or, where it is given, `stoppedAt`. */
  readonly hasMore: boolean;
  /** Looking ended here: no line of this timestamp or, in reading order, behind it is on the page. */
  readonly stoppedAt?: number;
}

/** Chosen: what one round of loading may bring into memory when a page needs less than it. */
const ROUND_BYTES_MAX = 4 * 1024 * 1024;

/**
 * One page of the wanted lines in `queue`. Chunks may overlap in time (events that came late, other streams): they are loaded
 * in reading order, and a line is final once no chunk still to come can hold an earlier one. Holds no more than a page and
 * one round in memory.
 */
export async function collectPage<L extends Sized>(
  queue: ChunkQueue,
  rules: PageRules<L>,
): Promise<Page<L>> {
  const sign = rules.direction === "forward" ? 1 : -1;
  const order = (a: L, b: L): number => sign * rules.compare(a, b);
  // To end before it would lead to the same page again.
  const mustPass =
    rules.positionAt === undefined ? queue.edge : rules.positionAt + Math.min(sign, 0);
  let lines: readonly L[] = [];
  // Nothing from there on belongs to this page, whatever is loaded later.
  let leftOut: L | undefined;
  for (let scannedBytes = 0; ; ) {
    const { edge } = queue;
    if (edge === undefined) break;
    const last = lines.at(-1);
    const isFull = leftOut !== undefined || lines.length === rules.limit;
    // Not on a tie: the next chunk may hold an event of the same millisecond that comes before it.
    if (isFull && last !== undefined && sign * (edge - last.timestamp) > 0) break;
    if (scannedBytes >= rules.scanBytesMax && sign * (edge - (mustPass ?? edge)) > 0) {
      const certain = lines.filter(({ timestamp }) => sign * (edge - timestamp) > 0);
      return { lines: certain, hasMore: true, stoppedAt: edge };
    }
    const round = takeRound(queue, rules);
    scannedBytes += round.reduce((sum, { chunk }) => sum + chunk.messageBytes, 0);
    const loaded = await rules.load(round);
    const end = leftOut;
    const fresh = end === undefined ? loaded : loaded.filter((line) => order(line, end) < 0);
    if (fresh.length === 0) continue;
    const candidates = [...lines, ...fresh].sort(order);
    lines = takeLines(candidates, rules);
    leftOut = candidates[lines.length] ?? leftOut;
  }
  return { lines, hasMore: leftOut !== undefined || queue.edge !== undefined };
}

/** As many of the next chunks as would fill a page if all their lines were wanted; at least one. */
function takeRound<L>(queue: ChunkQueue, rules: PageRules<L>): LocatedChunk[] {
  const bytesMax = Math.min(rules.bytesMax, ROUND_BYTES_MAX);
  const round: LocatedChunk[] = [];
  let count = 0;
  let bytes = 0;
  while (count < rules.limit && bytes < bytesMax) {
    const next = queue.next();
    if (next === undefined) break;
    round.push(next);
    count += next.chunk.count;
    bytes += next.chunk.messageBytes;
  }
  return round;
}

/** The leading lines that fit into a page; one at least. */
function takeLines<L extends Sized>(lines: readonly L[], rules: PageRules<L>): readonly L[] {
  let bytes = 0;
  let count = 0;
  for (const line of lines) {
    bytes += line.bytes;
    if (count === rules.limit || (count > 0 && bytes > rules.bytesMax)) break;
    count++;
  }
  return lines.slice(0, count);
}

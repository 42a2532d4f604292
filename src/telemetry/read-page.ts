import type { ChunkQueue } from "./chunk-queue.ts";
import { collectPage } from "./collect-page.ts";
import { decodeChunk, type StoredLine } from "./log-chunk.ts";
import type {
  LogPage,
  LogPosition,
  LogQuery,
  LogScan,
  LogScanPage,
  ScannedLine,
  ScanPosition,
} from "./log-store.ts";
import { visitBodies } from "./segment.ts";

/** Order in a stream: timestamp, then arrival. */
export function compareLines(a: LogPosition, b: LogPosition): number {
  return a.timestamp - b.timestamp || a.arrival - b.arrival;
}

/** Order among streams: timestamp, then time of ingestion; the rest only makes it certain. */
function comparePlaces(a: ScanPosition, b: ScanPosition): number {
  return (
    a.timestamp - b.timestamp ||
    a.ingestedAt - b.ingestedAt ||
    (a.streamId < b.streamId ? -1 : a.streamId > b.streamId ? 1 : a.arrival - b.arrival)
  );
}

/** One page of a stream, whose chunks are in `queue`. */
export async function readPage(queue: ChunkQueue, query: LogQuery): Promise<LogPage> {
  const isWanted = wantedBy(query, compareLines);
  const page = await collectPage<StoredLine>(queue, {
    ...query,
    compare: compareLines,
    scanBytesMax: Infinity,
    load: async (chunks) => {
      const lines: StoredLine[] = [];
      await visitBodies(chunks, (_chunk, body) => {
        for (const line of decodeChunk(body)) if (isWanted(line)) lines.push(line);
      });
      return lines;
    },
  });
  const events = query.direction === "forward" ? page.lines : page.lines.toReversed();
  return {
    events,
    before: positionAt(events[0], 0) ?? emptyPagePosition(query),
    after: positionAt(events.at(-1), 1) ?? emptyPagePosition(query),
  };
}

/** One page of the lines of many streams that a scan wants. */
export async function scanPage(queue: ChunkQueue, scan: LogScan): Promise<LogScanPage> {
  const isWanted = wantedBy(scan, comparePlaces);
  const { mayMatch, matches } = scan;
  const page = await collectPage<ScannedLine & StoredLine>(queue, {
    ...scan,
    positionAt: scan.position?.timestamp,
    compare: comparePlaces,
    load: async (chunks) => {
      const lines: (ScannedLine & StoredLine)[] = [];
      await visitBodies(chunks, ({ streamId }, body) => {
        for (const line of decodeChunk(body, mayMatch)) {
          const scanned = Object.assign(line, { streamId });
          if (isWanted(scanned) && matches(line.message)) lines.push(scanned);
        }
      });
      return lines;
    },
  });
  const next = nextPosition(page, scan);
  return { events: page.lines, ...(next && { next }) };
}

/** Whether a line lies in the range of a query and not on a former page. */
function wantedBy<P extends { readonly timestamp: number }>(
  query: {
    readonly startAt?: number;
    readonly endAt?: number;
    readonly position?: P;
    readonly direction: LogQuery["direction"];
  },
  compare: (a: P, b: P) => number,
): (line: P) => boolean {
  const { startAt = -Infinity, endAt = Infinity, position, direction } = query;
  return (line) => {
    if (line.timestamp < startAt || line.timestamp >= endAt) return false;
    if (position === undefined) return true;
    const order = compare(line, position);
    return direction === "forward" ? order >= 0 : order < 0;
  };
}

function positionAt(line: StoredLine | undefined, arrivals: number): LogPosition | undefined {
  return line && { timestamp: line.timestamp, arrival: line.arrival + arrivals };
}

/** Nothing found: reading on forward from here finds what comes in later. */
function emptyPagePosition(query: LogQuery): LogPosition {
  return query.position ?? { timestamp: query.startAt ?? 0, arrival: 0 };
}

/** Where a scan goes on; undefined when everything has been looked at. */
function nextPosition(
  page: {
    readonly lines: readonly (ScanPosition & StoredLine)[];
    readonly hasMore: boolean;
    readonly stoppedAt?: number;
  },
  { direction }: LogScan,
): ScanPosition | undefined {
  const isForward = direction === "forward";
  if (page.stoppedAt !== undefined) {
    // Before everything of that millisecond, or behind it.
    const timestamp = page.stoppedAt + (isForward ? 0 : 1);
    return { timestamp, ingestedAt: 0, streamId: "", arrival: 0 };
  }
  const last = page.lines.at(-1);
  if (!page.hasMore || last === undefined) return undefined;
  // A place lies before the line it names: backward that is right, forward it is the next one's.
  const { timestamp, ingestedAt, streamId, arrival } = last;
  return { timestamp, ingestedAt, streamId, arrival: arrival + (isForward ? 1 : 0) };
}

import { open } from "node:fs/promises";
import { join } from "node:path";
import { decodeFrame, encodeFrame, FRAME_HEAD_BYTES, frameBytes } from "./frame.ts";
import { CHUNK_KIND, chunkHeader, decodeHeader } from "./log-chunk.ts";
import {
  COMMIT_KIND,
  decodeCommit,
  decodeMarks,
  encodeMarks,
  type OutputMarks,
} from "./output-marks.ts";
import { Segment, type SegmentKind } from "./segment.ts";

/** How segments lie in files: names, the footer of sealed ones, and how an index is rebuilt from a file. */

const FOOTER_KIND = 2;
/** With marks before the index: their length u32, and they. */
const MARKED_FOOTER_KIND = 4;
const MARKS_HEAD_BYTES = 5;
/** The last 8 bytes of a sealed segment: offset of the footer, and this, "GSEG". */
const TRAILER_BYTES = 8;
const TRAILER_MAGIC = 0x47455347;
const REF_BYTES = 8;
/** Chosen: a journal is read through in pieces of this size when it is opened. */
const SCAN_BYTES = 4 * 1024 * 1024;
const NAME = /^(\d{10})\.(journal|sealed)$/;

/** `0000000007.journal`, `0000000007.sealed`. */
export function segmentPath(directory: string, id: number, kind: SegmentKind): string {
  return join(directory, `${String(id).padStart(10, "0")}.${kind}`);
}

/** What a file name says, or undefined when it is not a segment's. */
export function parseSegmentName(name: string): { id: number; kind: SegmentKind } | undefined {
  const [, id, kind] = NAME.exec(name) ?? [];
  return id && kind
    ? { id: Number(id), kind: kind === "sealed" ? "sealed" : "journal" }
    : undefined;
}

/**
 * Opens a segment and rebuilds its index: from the footer of a sealed one, else by a scan. What follows the last whole
 * frame of a journal (a write cut short by a crash, never acknowledged) is cut off; `cutBytes` says how much.
 */
export async function openSegment(
  directory: string,
  id: number,
  kind: SegmentKind,
): Promise<{ readonly segment: Segment; readonly cutBytes: number }> {
  const path = segmentPath(directory, id, kind);
  const handle = await open(path, kind === "journal" ? "r+" : "r");
  const segment = new Segment({ id, kind, path, handle });
  if (kind === "sealed" && (await indexFromFooter(segment))) return { segment, cutBytes: 0 };
  const size = await segment.fileBytes();
  const end = await indexFromScan(segment, size);
  if (kind === "sealed" || end === size) return { segment, cutBytes: 0 };
  await handle.truncate(end);
  await handle.datasync();
  return { segment, cutBytes: size - end };
}

/** Collects what a footer says while a sealed segment is written. */
export class FooterBuilder {
  readonly #parts: Buffer[];

  constructor(marks: OutputMarks) {
    const text = encodeMarks(marks);
    const head = Buffer.alloc(MARKS_HEAD_BYTES);
    head[0] = MARKED_FOOTER_KIND;
    head.writeUInt32LE(text.length, 1);
    this.#parts = [head, text];
  }

  /** The chunk whose frame begins at `offset`. */
  add(offset: number, frame: Buffer): void {
    const ref = Buffer.allocUnsafe(REF_BYTES);
    ref.writeUInt32LE(offset, 0);
    ref.writeUInt32LE(frame.length, 4);
    this.#parts.push(ref, chunkHeader(frame.subarray(FRAME_HEAD_BYTES)));
  }

  /** Footer frame and trailer, to be written at `offset`. */
  encode(offset: number): Buffer {
    const trailer = Buffer.allocUnsafe(TRAILER_BYTES);
    trailer.writeUInt32LE(offset, 0);
    trailer.writeUInt32LE(TRAILER_MAGIC, 4);
    return Buffer.concat([encodeFrame(this.#parts), trailer]);
  }
}

async function indexFromFooter(segment: Segment): Promise<boolean> {
  const trailerAt = (await segment.fileBytes()) - TRAILER_BYTES;
  if (trailerAt < 0) return false;
  const trailer = await segment.readBytes(trailerAt, TRAILER_BYTES);
  const footerAt = trailer.readUInt32LE(0);
  if (trailer.readUInt32LE(4) !== TRAILER_MAGIC || footerAt >= trailerAt) return false;
  const footer = decodeFrame(await segment.readBytes(footerAt, trailerAt - footerAt), 0);
  if (footer === undefined) return false;
  let indexAt = 1;
  if (footer[0] === MARKED_FOOTER_KIND) {
    indexAt = MARKS_HEAD_BYTES + footer.readUInt32LE(1);
    for (const [streamId, mark] of decodeMarks(footer.subarray(MARKS_HEAD_BYTES, indexAt))) {
      segment.mark(streamId, mark);
    }
  } else if (footer[0] !== FOOTER_KIND) return false;
  for (let at = indexAt; at < footer.length; ) {
    const { streamId, summary, end } = decodeHeader(footer, at + REF_BYTES);
    const offset = footer.readUInt32LE(at);
    segment.add(streamId, summary, offset, footer.readUInt32LE(at + 4));
    at = end;
  }
  return true;
}

/** Indexes every whole frame up to the first that does not check out, and returns where that begins. */
async function indexFromScan(segment: Segment, size: number): Promise<number> {
  let window = Buffer.allocUnsafeSlow(Math.min(size, SCAN_BYTES));
  let offset = 0;
  while (offset < size) {
    const data = window.subarray(0, size - offset);
    await segment.fill(data, offset);
    const indexedBytes = indexWindow(segment, data, offset);
    offset += indexedBytes;
    if (indexedBytes > 0) continue;
    const needed = frameBytes(data) ?? 0;
    if (needed <= data.length || needed > size - offset) break;
    window = Buffer.allocUnsafeSlow(needed);
  }
  return offset;
}

/** Indexes the frames at the start of `data`, which lies at `offset` of the file, and returns how many bytes they are. */
function indexWindow(segment: Segment, data: Buffer, offset: number): number {
  let end = 0;
  for (;;) {
    const body = decodeFrame(data, end);
    if (body === undefined) return end;
    indexFrame(segment, body, offset + end);
    end += FRAME_HEAD_BYTES + body.length;
  }
}

function indexFrame(segment: Segment, body: Buffer, offset: number): void {
  if (body[0] === CHUNK_KIND) {
    const { streamId, summary } = decodeHeader(body, 0);
    segment.add(streamId, summary, offset, FRAME_HEAD_BYTES + body.length);
  } else if (body[0] === COMMIT_KIND) {
    const { marks, chunks } = decodeCommit(body);
    for (const [streamId, mark] of marks) segment.mark(streamId, mark);
    for (const chunk of chunks) {
      indexFrame(segment, chunk.body, offset + FRAME_HEAD_BYTES + chunk.offset);
    }
  }
}

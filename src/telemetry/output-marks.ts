import { decodeFrame, encodeFrame, FRAME_HEAD_BYTES } from "./frame.ts";

/**
 * How far the text of its last writer is in a stream. A mark becomes durable in one frame with the events it tells of: either
 * both are found after a crash or neither.
 *
 * Body of a commit: kind u8, length of the marks u32, the marks (JSON), frames of chunks.
 */
export interface OutputMark {
  readonly writer: string;
  /** Everything before this byte is stored. */
  readonly end: number;
}

export type OutputMarks = ReadonlyMap<string, OutputMark>;

export const COMMIT_KIND = 3;
const HEADER_BYTES = 5;

/** The frames of chunks and the marks, by stream, as one frame. */
export function encodeCommit(marks: OutputMarks, frames: readonly Buffer[]): Buffer {
  const text = encodeMarks(marks);
  const header = Buffer.alloc(HEADER_BYTES);
  header[0] = COMMIT_KIND;
  header.writeUInt32LE(text.length, 1);
  return encodeFrame([header, text, ...frames]);
}

/** Where the first frame of a chunk lies in the frame of a commit with these marks. */
export function commitHeadBytes(marks: OutputMarks): number {
  return FRAME_HEAD_BYTES + HEADER_BYTES + encodeMarks(marks).length;
}

/** What a commit's body holds: its marks, and the bodies of its chunks with their frames' places in it. */
export function decodeCommit(body: Buffer): {
  readonly marks: OutputMarks;
  readonly chunks: readonly { readonly body: Buffer; readonly offset: number }[];
} {
  const start = HEADER_BYTES + body.readUInt32LE(1);
  const chunks: { readonly body: Buffer; readonly offset: number }[] = [];
  for (let offset = start; ; ) {
    const chunk = decodeFrame(body, offset);
    if (chunk === undefined) break;
    chunks.push({ body: chunk, offset });
    offset += FRAME_HEAD_BYTES + chunk.length;
  }
  return { marks: decodeMarks(body.subarray(HEADER_BYTES, start)), chunks };
}

export function encodeMarks(marks: OutputMarks): Buffer {
  return Buffer.from(
    JSON.stringify([...marks].map(([streamId, { writer, end }]) => [streamId, writer, end])),
  );
}

export function decodeMarks(text: Buffer): OutputMarks {
  const rows = JSON.parse(text.toString()) as [streamId: string, writer: string, end: number][];
  return new Map(rows.map(([streamId, writer, end]) => [streamId, { writer, end }]));
}

import { crc32 } from "node:zlib";

/**
 * The unit of every telemetry file: `u32 body length | u32 CRC-32 of the body | body`, little-endian. The first byte
 * of the body says what it is. Whatever does not check out at the end of a file was never acknowledged.
 */

export const FRAME_HEAD_BYTES = 8;

/** Chosen: far above the largest commit, so that a torn length is told from a real one. */
const BODY_BYTES_MAX = 64 * 1024 * 1024;

/** One frame around the concatenation of `parts`. */
export function encodeFrame(parts: readonly Uint8Array[]): Buffer {
  const bodyBytes = parts.reduce((sum, part) => sum + part.length, 0);
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + bodyBytes);
  let end = FRAME_HEAD_BYTES;
  for (const part of parts) {
    frame.set(part, end);
    end += part.length;
  }
  frame.writeUInt32LE(bodyBytes, 0);
  frame.writeUInt32LE(crc32(frame.subarray(FRAME_HEAD_BYTES)), 4);
  return frame;
}

/** Bytes of the frame that begins with `data`, as its head has it; undefined when no frame does. */
export function frameBytes(data: Buffer): number | undefined {
  if (data.length < FRAME_HEAD_BYTES) return undefined;
  const bodyBytes = data.readUInt32LE(0);
  return bodyBytes === 0 || bodyBytes > BODY_BYTES_MAX ? undefined : FRAME_HEAD_BYTES + bodyBytes;
}

/** The body of the frame at `offset` (a view, not a copy), or undefined when no whole, undamaged frame is there. */
export function decodeFrame(data: Buffer, offset: number): Buffer | undefined {
  if (offset + FRAME_HEAD_BYTES > data.length) return undefined;
  const bodyBytes = data.readUInt32LE(offset);
  const end = offset + FRAME_HEAD_BYTES + bodyBytes;
  if (bodyBytes === 0 || bodyBytes > BODY_BYTES_MAX || end > data.length) return undefined;
  const body = data.subarray(offset + FRAME_HEAD_BYTES, end);
  return crc32(body) === data.readUInt32LE(offset + 4) ? body : undefined;
}

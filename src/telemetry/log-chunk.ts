import { constants, zstdCompress, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { util } from "../lib/builtins.ts";
import { InvariantError } from "../lib/errors.ts";
import { encodeFrame } from "./frame.ts";
import type { LogLine } from "./log-store.ts";
import { VARINT_BYTES_MAX, VarintReader, writeVarint } from "./varint.ts";

/**
 * A chunk: consecutive events of one stream, in order of timestamp and arrival, in one frame.
 *
 * Body: kind u8, codec u8, stream id length u16, the numbers of {@link ChunkSummary}, the stream id, the payload. The
 * payload holds columns (timestamps, ingestion times, arrivals, message lengths; as differences) and then the text,
 * which packs better than row by row.
 */

/** An event with its place in the stream. */
export interface StoredLine extends LogLine {
  readonly arrival: number;
  /** UTF-8 bytes of the message. */
  readonly bytes: number;
}

/** What is known of a chunk without unpacking it. */
export interface ChunkSummary {
  readonly count: number;
  readonly firstEventAt: number;
  readonly lastEventAt: number;
  readonly lastIngestionAt: number;
  readonly lastArrival: number;
  /** UTF-8 bytes of the messages. */
  readonly messageBytes: number;
  /** Bytes of the payload when unpacked. */
  readonly payloadBytes: number;
}

export interface EncodedChunk {
  readonly summary: ChunkSummary;
  readonly frame: Buffer;
}

export const CHUNK_KIND = 1;
const CODEC_RAW = 0;
const CODEC_ZSTD = 1;
const HEADER_BYTES = 48;
const LINE_COLUMNS = 4;
/** Chosen: twice an ordinary chunk. */
const SCRATCH_BYTES_MAX = 256 * 1024;

/** A zstd call costs 30 µs before its first byte (measured): below this a chunk waits for the segment's rewrite. */
const COMPRESS_BYTES_MIN = 512;
/** Node takes no smaller one. */
const UNPACK_BYTES_MIN = 64;
/** Level 1: 690 MB/s and 8-fold on log lines; higher levels cost double for a tenth. */
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
const compressAsync = util.promisify(zstdCompress);

/**
 * Encodes chunks. Keeps one buffer for what goes into the compressor: memory outside the heap piles up faster than the
 * collector takes it for urgent.
 */
export class ChunkEncoder {
  #scratch: Buffer = Buffer.alloc(0);

  /** Encodes lines (in order) at once, on the caller's thread: for appends, whose chunks are small. */
  encode(streamId: string, lines: readonly StoredLine[]): EncodedChunk {
    const payload = this.#payload(lines);
    const packed = payload.length < COMPRESS_BYTES_MIN ? payload : zstdCompressSync(payload, ZSTD);
    return assemble(streamId, lines, payload, packed);
  }

  /** Encodes lines (in order), compressing off the event loop: for rewrites. One at a time. */
  async encodeAside(streamId: string, lines: readonly StoredLine[]): Promise<EncodedChunk> {
    const payload = this.#payload(lines);
    return assemble(streamId, lines, payload, await compressAsync(payload, ZSTD));
  }

  #payload(lines: readonly StoredLine[]): Buffer {
    const textBytes = lines.reduce((sum, line) => sum + line.bytes, 0);
    const bytesMax = lines.length * LINE_COLUMNS * VARINT_BYTES_MAX + textBytes;
    if (bytesMax > SCRATCH_BYTES_MAX) {
      return encodePayload(lines, textBytes, Buffer.allocUnsafeSlow(bytesMax));
    }
    if (this.#scratch.length === 0) this.#scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES_MAX);
    return encodePayload(lines, textBytes, this.#scratch);
  }
}

/** The lines of a chunk's body; none when `mayHold` says that its text, all messages in a row, has nothing to look for. */
export function decodeChunk(body: Buffer, mayHold?: (text: string) => boolean): StoredLine[] {
  const { streamId, summary } = decodeHeader(body, 0);
  const packed = body.subarray(HEADER_BYTES + Buffer.byteLength(streamId));
  const payload = body[1] === CODEC_ZSTD ? unpack(packed, summary.payloadBytes) : packed;
  if (payload.length !== summary.payloadBytes) throw new InvariantError("log chunk is cut short");
  // The text is the end of the payload: it can be looked through before anything is taken apart.
  const text = payload.toString("utf8", payload.length - summary.messageBytes);
  return mayHold?.(text) === false ? [] : decodePayload(payload, summary.count, text);
}

/** Into one piece: left to itself, the decompressor makes several and joins them. */
function unpack(packed: Buffer, bytes: number): Buffer {
  return zstdDecompressSync(packed, { chunkSize: Math.max(UNPACK_BYTES_MIN, bytes) });
}

/** The first part of a chunk's body; a sealed segment repeats it in its footer. */
export function chunkHeader(body: Buffer): Buffer {
  return body.subarray(0, HEADER_BYTES + body.readUInt16LE(2));
}

/** Reads the header at `offset` of a chunk's body or of a footer. */
export function decodeHeader(
  data: Buffer,
  offset: number,
): { readonly streamId: string; readonly summary: ChunkSummary; readonly end: number } {
  const end = offset + HEADER_BYTES + data.readUInt16LE(offset + 2);
  return {
    streamId: data.toString("utf8", offset + HEADER_BYTES, end),
    summary: {
      count: data.readUInt32LE(offset + 4),
      firstEventAt: data.readDoubleLE(offset + 8),
      lastEventAt: data.readDoubleLE(offset + 16),
      lastIngestionAt: data.readDoubleLE(offset + 24),
      lastArrival: data.readDoubleLE(offset + 32),
      messageBytes: data.readUInt32LE(offset + 40),
      payloadBytes: data.readUInt32LE(offset + 44),
    },
    end,
  };
}

function assemble(
  streamId: string,
  lines: readonly StoredLine[],
  payload: Buffer,
  packed: Buffer,
): EncodedChunk {
  const smaller = packed.length < payload.length;
  const summary = summarize(lines, payload.length);
  const header = encodeHeader(streamId, smaller ? CODEC_ZSTD : CODEC_RAW, summary);
  return { summary, frame: encodeFrame([header, smaller ? packed : payload]) };
}

function summarize(lines: readonly StoredLine[], payloadBytes: number): ChunkSummary {
  let lastIngestionAt = 0;
  let lastArrival = 0;
  let messageBytes = 0;
  for (const line of lines) {
    lastIngestionAt = Math.max(lastIngestionAt, line.ingestedAt);
    lastArrival = Math.max(lastArrival, line.arrival);
    messageBytes += line.bytes;
  }
  return {
    count: lines.length,
    firstEventAt: lines.at(0)?.timestamp ?? 0,
    lastEventAt: lines.at(-1)?.timestamp ?? 0,
    lastIngestionAt,
    lastArrival,
    messageBytes,
    payloadBytes,
  };
}

function encodeHeader(streamId: string, codec: number, summary: ChunkSummary): Buffer {
  const id = Buffer.from(streamId);
  const header = Buffer.alloc(HEADER_BYTES + id.length);
  header[0] = CHUNK_KIND;
  header[1] = codec;
  header.writeUInt16LE(id.length, 2);
  header.writeUInt32LE(summary.count, 4);
  header.writeDoubleLE(summary.firstEventAt, 8);
  header.writeDoubleLE(summary.lastEventAt, 16);
  header.writeDoubleLE(summary.lastIngestionAt, 24);
  header.writeDoubleLE(summary.lastArrival, 32);
  header.writeUInt32LE(summary.messageBytes, 40);
  header.writeUInt32LE(summary.payloadBytes, 44);
  header.set(id, HEADER_BYTES);
  return header;
}

/** Writes into `payload`, which has room for it, and returns the part that is written to. */
function encodePayload(lines: readonly StoredLine[], textBytes: number, payload: Buffer): Buffer {
  let end = 0;
  for (const column of ["timestamp", "ingestedAt", "arrival"] as const) {
    let previous = 0;
    for (const line of lines) {
      end = writeVarint(payload, end, line[column] - previous);
      previous = line[column];
    }
  }
  for (const line of lines) end = writeVarint(payload, end, line.bytes);
  // One call for all when every message is ASCII. Otherwise one by one: joined, two halves of a surrogate pair
  // at the edge of two messages would become one character.
  const text = lines.map((line) => line.message).join("");
  if (text.length === textBytes)
    return payload.subarray(0, end + payload.write(text, end, "latin1"));
  for (const line of lines) end += payload.write(line.message, end);
  return payload.subarray(0, end);
}

function decodePayload(payload: Buffer, count: number, text: string): StoredLine[] {
  const reader = new VarintReader(payload);
  const timestamps = readDifferences(reader, count);
  const ingestedAts = readDifferences(reader, count);
  const arrivals = readDifferences(reader, count);
  const sizes = Array.from({ length: count }, () => reader.next());
  let end = reader.offset;
  const isAscii = text.length === payload.length - end;
  const textStart = end;
  return sizes.map((bytes, i) => {
    const start = end;
    end += bytes;
    return {
      timestamp: timestamps[i] ?? 0,
      ingestedAt: ingestedAts[i] ?? 0,
      arrival: arrivals[i] ?? 0,
      bytes,
      message: isAscii
        ? text.slice(start - textStart, end - textStart)
        : payload.toString("utf8", start, end),
    };
  });
}

function readDifferences(reader: VarintReader, count: number): number[] {
  let value = 0;
  return Array.from({ length: count }, () => {
    value += reader.next();
    return value;
  });
}

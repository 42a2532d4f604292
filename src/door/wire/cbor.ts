/**
 * CBOR as Smithy uses it: https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html and RFC 8949.
 * Written here because it is small, and what reads strangers' bytes should refuse whatever the protocol does not
 * need: the only tag is 1 (a time), nothing is shared or executed, depth and length are bounded by the input.
 */
import { isUtf8 } from "node:buffer";
import { InvariantError } from "../../lib/errors.ts";
import { serialization } from "../errors.ts";
import { VALUE_DEPTH_MAX } from "../limits.ts";
import type { StructureShape } from "../shape.ts";
import { validTime } from "./json.ts";
import { readStructure, type TreeFormat, tooDeep, writeStructure } from "./tree.ts";

/** Times and bytes are kinds of their own here; integers beyond 2^53 come as bigint. */
export const CBOR_FORMAT: TreeFormat = {
  readNumber: (value) => {
    if (typeof value === "number") return value;
    return typeof value === "bigint" ? Number(value) : undefined;
  },
  readTimestamp: (value) => (value instanceof Date ? value : undefined),
  readBlob: (value) => (value instanceof Uint8Array ? value : undefined),
  writeNumber: (value) => value,
  writeTimestamp: (value) => value,
  writeBlob: (value) => value,
};

/** A structure from a body; an empty body is an empty structure. Throws `SerializationException`. */
export function readCbor(shape: StructureShape, body: Uint8Array): Record<string, unknown> {
  if (body.length === 0) return {};
  return readStructure(shape, decodeCbor(body), CBOR_FORMAT);
}

/** The bytes of a structure. `strict` throws for members that the schema does not know. */
export function writeCbor(shape: StructureShape, value: unknown, strict: boolean): Uint8Array {
  return encodeCbor(writeStructure(shape, value, { format: CBOR_FORMAT, strict }, shape.name));
}

const MAJOR = { unsigned: 0, negative: 1, bytes: 2, text: 3, list: 4, map: 5, tag: 6 } as const;
const SIMPLE = { false: 20, true: 21, null: 22, undefined: 23, half: 25, single: 26, double: 27 };
const SIMPLE_MAJOR = 7;
const TIME_TAG = 1;
const INDEFINITE = 31;
const BREAK = 0xff;

/** The one value that `bytes` hold. Throws `SerializationException`. */
export function decodeCbor(bytes: Uint8Array): unknown {
  const decoder = new Decoder(bytes);
  const value = decoder.value(VALUE_DEPTH_MAX);
  if (!decoder.isAtEnd) throw invalid();
  return value;
}

class Decoder {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  value(depthLeft: number): unknown {
    const initial = this.#byte();
    const major = initial >> 5;
    const info = initial & 31;
    switch (major) {
      case MAJOR.unsigned:
        return this.#argument(info);
      case MAJOR.negative: {
        const argument = this.#argument(info);
        return typeof argument === "bigint" ? -1n - argument : -1 - argument;
      }
      case MAJOR.bytes:
        return this.#string(info, MAJOR.bytes);
      case MAJOR.text:
        return decodeText(this.#string(info, MAJOR.text));
      case MAJOR.list:
        return this.#list(info, depthLeft - 1);
      case MAJOR.map:
        return this.#map(info, depthLeft - 1);
      case MAJOR.tag:
        return this.#time(this.#argument(info), depthLeft);
      default:
        return this.#simple(info);
    }
  }

  #list(info: number, depthLeft: number): unknown[] {
    if (depthLeft < 0) throw tooDeep();
    const result: unknown[] = [];
    this.#repeat(info, () => result.push(this.value(depthLeft)));
    return result;
  }

  #map(info: number, depthLeft: number): Record<string, unknown> {
    if (depthLeft < 0) throw tooDeep();
    const result: Record<string, unknown> = Object.create(null);
    this.#repeat(info, () => {
      const key = this.value(0);
      if (typeof key !== "string") throw invalid();
      result[key] = this.value(depthLeft);
    });
    return result;
  }

  /** The elements that `info` announces. A length that lies runs into the end of the input at once. */
  #repeat(info: number, element: () => void): void {
    if (info === INDEFINITE) {
      while (!this.#isBreak()) element();
      return;
    }
    const count = this.#length(info);
    for (let i = 0; i < count; i += 1) element();
  }

  #time(tag: number | bigint, depthLeft: number): Date {
    const seconds = tag === TIME_TAG ? this.value(depthLeft) : undefined;
    const date = typeof seconds === "number" ? validTime(Math.round(seconds * 1000)) : undefined;
    if (date === undefined) throw invalid();
    return date;
  }

  /** A string in one piece, or in pieces of definite length. */
  #string(info: number, major: number): Uint8Array {
    if (info !== INDEFINITE) return this.#take(this.#length(info));
    const pieces: Uint8Array[] = [];
    while (!this.#isBreak()) {
      const initial = this.#byte();
      if (initial >> 5 !== major || (initial & 31) === INDEFINITE) throw invalid();
      pieces.push(this.#take(this.#length(initial & 31)));
    }
    return Buffer.concat(pieces);
  }

  #simple(info: number): unknown {
    switch (info) {
      case SIMPLE.false:
        return false;
      case SIMPLE.true:
        return true;
      case SIMPLE.null:
      case SIMPLE.undefined:
        return null;
      case SIMPLE.half:
        return decodeHalf(this.#view.getUint16(this.#skip(2)));
      case SIMPLE.single:
        return this.#view.getFloat32(this.#skip(4));
      case SIMPLE.double:
        return this.#view.getFloat64(this.#skip(8));
      default:
        throw invalid();
    }
  }

  #argument(info: number): number | bigint {
    if (info < 24) return info;
    if (info === 24) return this.#byte();
    if (info === 25) return this.#view.getUint16(this.#skip(2));
    if (info === 26) return this.#view.getUint32(this.#skip(4));
    if (info !== 27) throw invalid();
    const wide = this.#view.getBigUint64(this.#skip(8));
    return wide <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(wide) : wide;
  }

  #length(info: number): number {
    const length = this.#argument(info);
    if (typeof length === "bigint") throw invalid();
    return length;
  }

  #isBreak(): boolean {
    if (this.#at >= this.#bytes.length) throw invalid();
    if (this.#bytes[this.#at] !== BREAK) return false;
    this.#at += 1;
    return true;
  }

  #byte(): number {
    return this.#bytes[this.#skip(1)] as number;
  }

  #take(length: number): Uint8Array {
    const start = this.#skip(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** Moves on by `length`; answers where that began. */
  #skip(length: number): number {
    const start = this.#at;
    if (length > this.#bytes.length - start) throw invalid();
    this.#at = start + length;
    return start;
  }
}

/** RFC 8949, appendix D: one bit sign, five of exponent, ten of mantissa. */
function decodeHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  return sign * (mantissa + 1024) * 2 ** (exponent - 25);
}

function decodeText(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw invalid();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}

function invalid(): Error {
  return serialization("The request body is not valid CBOR");
}

/** The bytes of a tree of plain objects, lists, scalars, dates and byte arrays. */
export function encodeCbor(value: unknown): Uint8Array {
  const encoder = new Encoder();
  encoder.value(value);
  return encoder.encoded;
}

class Encoder {
  #buffer = Buffer.allocUnsafe(1024);
  #length = 0;

  get encoded(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  value(value: unknown): void {
    if (typeof value === "string") this.#text(value);
    else if (typeof value === "number") this.#number(value);
    else if (value === null) this.#head(SIMPLE_MAJOR, SIMPLE.null);
    else if (typeof value === "boolean") {
      this.#head(SIMPLE_MAJOR, value ? SIMPLE.true : SIMPLE.false);
    } else if (value instanceof Date) {
      this.#head(MAJOR.tag, TIME_TAG);
      this.#number(value.getTime() / 1000);
    } else if (value instanceof Uint8Array) this.#bytes(value);
    else if (Array.isArray(value)) this.#list(value);
    else if (typeof value === "object") this.#map(value);
    else throw new InvariantError(`CBOR has no form for a ${typeof value}`);
  }

  #bytes(bytes: Uint8Array): void {
    this.#head(MAJOR.bytes, bytes.length);
    const start = this.#reserve(bytes.length);
    this.#buffer.set(bytes, start);
  }

  #list(elements: readonly unknown[]): void {
    this.#head(MAJOR.list, elements.length);
    for (const element of elements) this.value(element);
  }

  #map(value: object): void {
    const entries = Object.entries(value);
    this.#head(MAJOR.map, entries.length);
    for (const [key, element] of entries) {
      this.#text(key);
      this.value(element);
    }
  }

  #text(text: string): void {
    const length = Buffer.byteLength(text);
    this.#head(MAJOR.text, length);
    const start = this.#reserve(length);
    this.#buffer.write(text, start);
  }

  #number(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      if (value >= 0) this.#head(MAJOR.unsigned, value);
      else this.#head(MAJOR.negative, -1 - value);
    } else {
      this.#byte((SIMPLE_MAJOR << 5) | SIMPLE.double);
      const start = this.#reserve(8);
      this.#buffer.writeDoubleBE(value, start);
    }
  }

  #head(major: number, argument: number): void {
    const initial = major << 5;
    if (argument < 24) {
      this.#byte(initial | argument);
    } else if (argument < 0x100) {
      this.#byte(initial | 24);
      this.#byte(argument);
    } else if (argument < 0x10000) {
      this.#byte(initial | 25);
      const start = this.#reserve(2);
      this.#buffer.writeUInt16BE(argument, start);
    } else if (argument < 0x100000000) {
      this.#byte(initial | 26);
      const start = this.#reserve(4);
      this.#buffer.writeUInt32BE(argument, start);
    } else {
      this.#byte(initial | 27);
      const start = this.#reserve(8);
      this.#buffer.writeBigUInt64BE(BigInt(argument), start);
    }
  }

  #byte(byte: number): void {
    const start = this.#reserve(1);
    this.#buffer[start] = byte;
  }

  /** Room for `length` bytes; answers where it begins. Growing replaces the buffer, so reserve first, then write. */
  #reserve(length: number): number {
    const start = this.#length;
    const end = start + length;
    if (end > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(end, this.#buffer.length * 2));
      larger.set(this.#buffer.subarray(0, start));
      this.#buffer = larger;
    }
    this.#length = end;
    return start;
  }
}

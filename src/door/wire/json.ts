/** JSON documents as the awsJson and restJson protocols have them. */
import { isUtf8 } from "node:buffer";
import { serialization } from "../errors.ts";
import type { StructureShape } from "../shape.ts";
import { readStructure, type TreeFormat, writeStructure } from "./tree.ts";

/** Times are epoch seconds with milliseconds as the fraction; ISO 8601 is taken too. Bytes are base64. */
export const JSON_FORMAT: TreeFormat = {
  readNumber: (value) => {
    if (typeof value === "number") return value;
    const isNumber = value === "NaN" || value === "Infinity" || value === "-Infinity";
    return isNumber ? Number(value) : undefined;
  },
  readTimestamp: (value) => {
    if (typeof value === "number") return validTime(Math.round(value * 1000));
    return typeof value === "string" ? validTime(Date.parse(value)) : undefined;
  },
  readBlob: (value) => (typeof value === "string" ? decodeBase64(value) : undefined),
  writeNumber: (value) => (Number.isFinite(value) ? value : String(value)),
  writeTimestamp: (value) => value.getTime() / 1000,
  writeBlob: encodeBase64,
};

/** A structure from a body; an empty body is an empty structure. Throws `SerializationException`. */
export function readJson(shape: StructureShape, body: Uint8Array): Record<string, unknown> {
  if (body.length === 0) return {};
  return readStructure(shape, parseJson(body), JSON_FORMAT);
}

/** The text of a structure. `strict` throws for members that the schema does not know. */
export function writeJson(shape: StructureShape, value: unknown, strict: boolean): string {
  return JSON.stringify(writeStructure(shape, value, { format: JSON_FORMAT, strict }, shape.name));
}

/** Any JSON from a body. Throws `SerializationException`. */
export function parseJson(body: Uint8Array): unknown {
  if (!isUtf8(body)) throw serialization("The request body is not UTF-8");
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString());
  } catch {
    throw serialization("The request body is not valid JSON");
  }
}

/** The bytes; `undefined` when the text is not base64. */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  return Buffer.from(text, "base64");
}

/** Bytes as base64. */
export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

/** The date of epoch milliseconds; `undefined` when there is none. */
export function validTime(ms: number): Date | undefined {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

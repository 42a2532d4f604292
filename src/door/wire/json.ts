/**
 * awsJson 1.0 and 1.1: https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
 * The reader is strict about kinds, deaf to members it does not know (clients may be newer than we are), and takes
 * `null` for absent. The writer lets out only members that the schema knows.
 */
import { isUtf8 } from "node:buffer";
import { type ApiError, assert, InvariantError } from "../../lib/errors.ts";
import { serialization } from "../errors.ts";
import { DOCUMENT_DEPTH_MAX } from "../limits.ts";
import type { MapShape, Shape, StructureShape, TimestampFormat } from "../shape.ts";

/** The input of an operation from a request's body. Throws `SerializationException` in AWS's words. */
export function readJson(shape: StructureShape, body: Uint8Array): Record<string, unknown> {
  if (body.length === 0) return {};
  return readStructure(shape, parse(body));
}

/**
 * The body of a reply. Throws {@link InvariantError} when a value is not of the schema's kind; `strict` does so for
 * members that the schema does not know too, which are left out otherwise.
 */
export function writeJson(shape: StructureShape, output: unknown, strict: boolean): string {
  return JSON.stringify(writeStructure(shape, output, strict, shape.name));
}

/** The body of an error reply. `shape` is the exception's, when the service models it. */
export function writeJsonError(
  error: ApiError,
  shape: StructureShape | undefined,
  strict: boolean,
): string {
  const members = shape === undefined ? {} : errorMembers(error, shape, strict);
  const message = shape?.byName.has("Message") ? "Message" : "message";
  return JSON.stringify({ __type: error.code, ...members, [message]: error.message });
}

function errorMembers(error: ApiError, shape: StructureShape, strict: boolean): object {
  return writeStructure(shape, error.members, strict, shape.name);
}

function parse(body: Uint8Array): unknown {
  if (!isUtf8(body)) throw serialization("The request body is not UTF-8");
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString());
  } catch {
    throw serialization("The request body is not valid JSON");
  }
}

function read(shape: Shape, value: unknown): unknown {
  switch (shape.kind) {
    case "structure":
    case "union":
      return readStructure(shape, value);
    case "list":
      return readList(shape.item, shape.sparse, value);
    case "map":
      return readMap(shape, value);
    case "string":
    case "enum":
      if (typeof value === "string") return value;
      throw mismatch(value, "a String");
    case "number":
    case "bigDecimal":
      return readNumber(value);
    case "boolean":
      if (typeof value === "boolean") return value;
      throw mismatch(value, "a Boolean");
    case "timestamp":
      return readTimestamp(value);
    case "blob":
      return readBlob(value);
    case "bigInteger":
      if (typeof value === "number" && Number.isInteger(value)) return BigInt(value);
      throw mismatch(value, "a BigInteger");
    case "document":
      checkDepth(value, DOCUMENT_DEPTH_MAX);
      return value;
  }
}

function readStructure(shape: StructureShape, value: unknown): Record<string, unknown> {
  if (!isObject(value)) throw notAStructure(value);
  const result: Record<string, unknown> = {};
  let count = 0;
  for (const name in value) {
    const element = value[name];
    if (element === null) continue;
    const member = shape.byName.get(name);
    if (member === undefined) continue;
    result[name] = read(member.shape, element);
    count += 1;
  }
  if (shape.kind === "union" && count !== 1) {
    throw serialization(`Exactly one member of ${shape.name} must be set, found ${count}`);
  }
  return result;
}

function readList(item: Shape, sparse: boolean, value: unknown): unknown[] {
  if (!Array.isArray(value)) {
    throw serialization(
      isObject(value)
        ? "Start of structure or map found where not expected."
        : "Expected list or null",
    );
  }
  const result: unknown[] = [];
  for (const element of value) {
    if (element !== null) result.push(read(item, element));
    else if (sparse) result.push(null);
  }
  return result;
}

/** Without a prototype, so that no key a caller chooses (`__proto__`, `constructor`) means anything. */
function readMap(shape: MapShape, value: unknown): Record<string, unknown> {
  if (!isObject(value)) throw notAStructure(value);
  const result: Record<string, unknown> = Object.create(null);
  for (const key in value) {
    const element = value[key];
    if (element !== null) result[key] = read(shape.value, element);
    else if (shape.sparse) result[key] = null;
  }
  return result;
}

/** The model cannot tell integers from floats: handlers that need an integer say so. */
function readNumber(value: unknown): number {
  if (typeof value === "number") return value;
  if (value === "NaN" || value === "Infinity" || value === "-Infinity") return Number(value);
  throw mismatch(value, "an Integer");
}

function readTimestamp(value: unknown): Date {
  const ms =
    typeof value === "number"
      ? Math.round(value * 1000)
      : typeof value === "string"
        ? Date.parse(value)
        : Number.NaN;
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) throw mismatch(value, "a Timestamp");
  return date;
}

function readBlob(value: unknown): Uint8Array {
  if (typeof value !== "string") throw mismatch(value, "a Blob");
  if (value.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) {
    throw serialization("The value of a Blob is not valid base64");
  }
  return Buffer.from(value, "base64");
}

function checkDepth(value: unknown, left: number): void {
  if (typeof value !== "object" || value === null) return;
  if (left === 0) throw serialization("A document is nested too deeply");
  for (const element of Object.values(value)) checkDepth(element, left - 1);
}

/** AWS's wording: "STRING_VALUE can not be converted to an Integer". */
function mismatch(value: unknown, wanted: string): ApiError {
  if (Array.isArray(value)) return serialization("Start of list found where not expected");
  if (typeof value === "object") {
    return serialization("Start of structure or map found where not expected.");
  }
  const found = typeof value === "boolean" ? String(value) : typeof value;
  return serialization(`${found.toUpperCase()}_VALUE can not be converted to ${wanted}`);
}

function notAStructure(value: unknown): ApiError {
  return serialization(
    Array.isArray(value) ? "Start of list found where not expected" : "Expected null",
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `path` only serves messages; it grows where a value is entered and not for every scalar. */
function write(shape: Shape, value: unknown, strict: boolean, path: string): unknown {
  switch (shape.kind) {
    case "string":
    case "enum":
      if (typeof value === "string") return value;
      break;
    case "structure":
    case "union":
      return writeStructure(shape, value, strict, path);
    case "list":
      if (!Array.isArray(value)) break;
      return value.map((element) =>
        element === null && shape.sparse ? null : write(shape.item, element, strict, path),
      );
    case "map":
      return writeMap(shape, value, strict, path);
    case "number":
    case "bigDecimal":
      if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
      break;
    case "boolean":
      if (typeof value === "boolean") return value;
      break;
    case "timestamp":
      if (value instanceof Date) return writeTimestamp(value, shape.format, path);
      break;
    case "blob":
      if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
      break;
    case "bigInteger":
      if (typeof value === "bigint") return Number(value);
      break;
    case "document":
      return value;
  }
  throw new InvariantError(`${path} should be ${shape.kind} but is ${describe(value)}`);
}

function writeStructure(
  shape: StructureShape,
  value: unknown,
  strict: boolean,
  path: string,
): Record<string, unknown> {
  assert(isObject(value), `${path} should be ${shape.kind} but is ${describe(value)}`);
  const result: Record<string, unknown> = {};
  for (const name in value) {
    const element = value[name];
    if (element === undefined) continue;
    const member = shape.byName.get(name);
    if (member === undefined) {
      if (strict) throw new InvariantError(`${shape.name} has no member ${name} (at ${path})`);
      continue;
    }
    result[name] = write(member.shape, element, strict, name);
  }
  return result;
}

function writeMap(
  shape: MapShape,
  value: unknown,
  strict: boolean,
  path: string,
): Record<string, unknown> {
  assert(isObject(value), `${path} should be map but is ${describe(value)}`);
  const result: Record<string, unknown> = Object.create(null);
  for (const key of Object.keys(value)) {
    const element = value[key];
    if (element === undefined) continue;
    result[key] =
      element === null && shape.sparse ? null : write(shape.value, element, strict, path);
  }
  return result;
}

/** Epoch seconds with milliseconds as the fraction, unless the member's own format says otherwise. */
function writeTimestamp(date: Date, format: TimestampFormat, path: string): string | number {
  assert(!Number.isNaN(date.getTime()), `${path} is an invalid date`);
  if (format === "dateTime") return date.toISOString();
  if (format === "httpDate") return date.toUTCString();
  return date.getTime() / 1000;
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return value instanceof Date ? "a Date" : typeof value;
}

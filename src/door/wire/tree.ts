/**
 * Values as the trees that JSON and CBOR decode to, read and written by their shapes. The reader is strict about
 * kinds, deaf to members it does not know (clients may be newer than we are), and takes `null` for absent. The
 * writer lets out only members that the schema knows.
 */
import { type ApiError, assert, InvariantError } from "../../lib/errors.ts";
import { serialization } from "../errors.ts";
import { VALUE_DEPTH_MAX } from "../limits.ts";
import type { ListShape, MapShape, Shape, StructureShape } from "../shape.ts";

/** What the two formats do not have in common. A reader answers `undefined` for a value of another kind. */
export interface TreeFormat {
  readonly readNumber: (value: unknown) => number | undefined;
  readonly readTimestamp: (value: unknown) => Date | undefined;
  readonly readBlob: (value: unknown) => Uint8Array | undefined;
  readonly writeNumber: (value: number) => unknown;
  readonly writeTimestamp: (value: Date) => unknown;
  readonly writeBlob: (value: Uint8Array) => unknown;
}

/** A value of `shape` from its tree. Throws `SerializationException` in AWS's words. */
export function readTree(
  shape: Shape,
  value: unknown,
  format: TreeFormat,
  depthLeft: number = VALUE_DEPTH_MAX,
): unknown {
  switch (shape.kind) {
    case "structure":
    case "union":
      return readStructure(shape, value, format, depthLeft);
    case "list":
      return readList(shape, value, format, depthLeft);
    case "map":
      return readMap(shape, value, format, depthLeft);
    case "string":
    case "enum":
      if (typeof value === "string") return value;
      throw mismatch(value, "a String");
    case "integer": {
      const number = format.readNumber(value);
      return Number.isInteger(number) ? number : fail(value, "an Integer");
    }
    case "fractional":
      return format.readNumber(value) ?? fail(value, "a Double");
    case "boolean":
      if (typeof value === "boolean") return value;
      throw mismatch(value, "a Boolean");
    case "timestamp":
      return format.readTimestamp(value) ?? fail(value, "a Timestamp");
    case "blob":
      return format.readBlob(value) ?? fail(value, "a Blob");
    case "document":
      checkDepth(value, depthLeft);
      return value;
  }
}

/** A structure or union from its tree: see {@link readTree}. */
export function readStructure(
  shape: StructureShape,
  value: unknown,
  format: TreeFormat,
  depthLeft: number = VALUE_DEPTH_MAX,
): Record<string, unknown> {
  if (!isObject(value)) throw notAStructure(value);
  if (depthLeft === 0) throw tooDeep();
  const result: Record<string, unknown> = {};
  let count = 0;
  for (const name in value) {
    const element = value[name];
    if (element === null) continue;
    const member = shape.byName.get(name);
    if (member === undefined) continue;
    result[name] = readTree(member.shape, element, format, depthLeft - 1);
    count += 1;
  }
  if (shape.kind === "union") checkUnion(shape, count);
  return result;
}

/** Throws unless exactly one member of a union is set. */
export function checkUnion(shape: StructureShape, count: number): void {
  if (count === 1) return;
  throw serialization(`Exactly one member of ${shape.name} must be set, found ${count}`);
}

/** The error of a value whose nesting is beyond {@link VALUE_DEPTH_MAX}. */
export function tooDeep(): ApiError {
  return serialization("The input is nested too deeply");
}

function readList(
  shape: ListShape,
  value: unknown,
  format: TreeFormat,
  depthLeft: number,
): unknown[] {
  if (!Array.isArray(value)) {
    throw serialization(
      isObject(value)
        ? "Start of structure or map found where not expected."
        : "Expected list or null",
    );
  }
  if (depthLeft === 0) throw tooDeep();
  const result: unknown[] = [];
  for (const element of value) {
    if (element !== null) result.push(readTree(shape.item, element, format, depthLeft - 1));
  }
  return result;
}

/** Without a prototype, so that no key a caller chooses (`__proto__`, `constructor`) means anything. */
function readMap(
  shape: MapShape,
  value: unknown,
  format: TreeFormat,
  depthLeft: number,
): Record<string, unknown> {
  if (!isObject(value)) throw notAStructure(value);
  if (depthLeft === 0) throw tooDeep();
  const result: Record<string, unknown> = Object.create(null);
  for (const key in value) {
    const element = value[key];
    if (element !== null) result[key] = readTree(shape.value, element, format, depthLeft - 1);
  }
  return result;
}

function checkDepth(value: unknown, left: number): void {
  if (typeof value !== "object" || value === null) return;
  if (left === 0) throw tooDeep();
  for (const element of Object.values(value)) checkDepth(element, left - 1);
}

function fail(value: unknown, wanted: string): never {
  throw mismatch(value, wanted);
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

/** Byte arrays and dates, which CBOR decodes to, are scalars. */
function isObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array) &&
    !(value instanceof Date)
  );
}

/** How values are written, and what an error calls the place. */
export interface TreeWriter {
  readonly format: TreeFormat;
  /** Members that the schema does not know throw instead of being left out. */
  readonly strict: boolean;
}

/**
 * The tree of a value: the value itself where nothing in it needs another form, as in most answers. Throws
 * {@link InvariantError} when it is not of the schema's kind. `path` serves messages.
 */
export function writeTree(shape: Shape, value: unknown, writer: TreeWriter, path: string): unknown {
  switch (shape.kind) {
    case "string":
    case "enum":
      if (typeof value === "string") return value;
      break;
    case "structure":
    case "union":
      return writeStructure(shape, value, writer, path);
    case "list":
      if (!Array.isArray(value)) break;
      return writeList(shape, value, writer, path);
    case "map":
      return writeMap(shape, value, writer, path);
    case "integer":
    case "fractional":
      if (typeof value === "number") return writer.format.writeNumber(value);
      break;
    case "boolean":
      if (typeof value === "boolean") return value;
      break;
    case "timestamp":
      if (value instanceof Date) return writer.format.writeTimestamp(validDate(value, path));
      break;
    case "blob":
      if (value instanceof Uint8Array) return writer.format.writeBlob(value);
      break;
    case "document":
      return value;
  }
  throw wrongKind(shape, value, path);
}

/** The tree of a structure: see {@link writeTree}. */
export function writeStructure(
  shape: StructureShape,
  value: unknown,
  writer: TreeWriter,
  path: string,
): Record<string, unknown> {
  if (!isObject(value)) throw wrongKind(shape, value, path);
  let copy: Record<string, unknown> | undefined;
  for (const name in value) {
    const element = value[name];
    const member = shape.byName.get(name);
    if (element !== undefined && member === undefined && writer.strict) {
      throw unknownMember(shape, name, path);
    }
    const isWritten = element !== undefined && member !== undefined;
    const written = isWritten ? writeTree(member.shape, element, writer, name) : undefined;
    if (!isWritten || written !== element) copy ??= membersBefore(value, name);
    if (isWritten && copy !== undefined) copy[name] = written;
  }
  return copy ?? value;
}

function writeList(
  shape: ListShape,
  value: readonly unknown[],
  writer: TreeWriter,
  path: string,
): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (const [index, element] of value.entries()) {
    const written = writeTree(shape.item, element, writer, path);
    if (written !== element) copy ??= value.slice(0, index);
    copy?.push(written);
  }
  return copy ?? value;
}

function writeMap(
  shape: MapShape,
  value: unknown,
  writer: TreeWriter,
  path: string,
): Record<string, unknown> {
  if (!isObject(value)) throw wrongKind(shape, value, path);
  const result: Record<string, unknown> = Object.create(null);
  for (const key of Object.keys(value)) {
    const element = value[key];
    if (element !== undefined) result[key] = writeTree(shape.value, element, writer, path);
  }
  return result;
}

/** A copy of the members that come before one of them. */
function membersBefore(value: Record<string, unknown>, end: string): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const name in value) {
    if (name === end) break;
    copy[name] = value[name];
  }
  return copy;
}

/** `date`, which a handler may have computed from nothing. */
export function validDate(date: Date, path: string): Date {
  assert(!Number.isNaN(date.getTime()), `${path} is an invalid date`);
  return date;
}

/** The error of a handler that answers a member which the schema does not know. */
export function unknownMember(shape: StructureShape, name: string, path: string): InvariantError {
  return new InvariantError(`${shape.name} has no member ${name} (at ${path})`);
}

/** The error of a handler that answers a value which is not of the schema's kind. */
export function wrongKind(shape: Shape, value: unknown, path: string): InvariantError {
  const found =
    value === null
      ? "null"
      : Array.isArray(value)
        ? "a list"
        : value instanceof Date
          ? "a Date"
          : typeof value;
  return new InvariantError(`${path} should be ${shape.kind} but is ${found}`);
}

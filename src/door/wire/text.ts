/** Scalars as text: in forms, XML, paths and queries. */
import { type ApiError, assert } from "../../lib/errors.ts";
import { serialization } from "../errors.ts";
import type { SimpleShape } from "../shape.ts";
import { decodeBase64, encodeBase64, validTime } from "./json.ts";
import { validDate, wrongKind } from "./tree.ts";

/** A scalar from its text; times are ISO 8601. Throws `SerializationException`. */
export function readText(shape: SimpleShape, text: string): unknown {
  switch (shape.kind) {
    case "string":
    case "enum":
      return text;
    case "integer": {
      const number = readNumber(text);
      return Number.isInteger(number) ? number : fail(text, "an Integer");
    }
    case "fractional":
      return readNumber(text) ?? fail(text, "a Double");
    case "boolean":
      if (text === "true" || text === "false") return text === "true";
      throw mismatch(text, "a Boolean");
    case "timestamp":
      return validTime(Date.parse(text)) ?? fail(text, "a Timestamp");
    case "blob":
      return decodeBase64(text) ?? fail(text, "a Blob");
    case "document":
      throw mismatch(text, "a Document");
  }
}

/** The text of a scalar, not escaped. Throws InvariantError when it is not of the schema's kind. */
export function writeText(shape: SimpleShape, value: unknown, path: string): string {
  switch (shape.kind) {
    case "string":
    case "enum":
      if (typeof value === "string") return value;
      break;
    case "integer":
    case "fractional":
      if (typeof value === "number") return String(value);
      break;
    case "boolean":
      if (typeof value === "boolean") return String(value);
      break;
    case "timestamp":
      if (value instanceof Date) return validDate(value, path).toISOString();
      break;
    case "blob":
      if (value instanceof Uint8Array) return encodeBase64(value);
      break;
    case "document":
      assert(false, `${path} is a document, which has no text`);
  }
  throw wrongKind(shape, value, path);
}

function readNumber(text: string): number | undefined {
  if (text === "NaN" || text === "Infinity" || text === "-Infinity") return Number(text);
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined;
}

function fail(text: string, wanted: string): never {
  throw mismatch(text, wanted);
}

function mismatch(text: string, wanted: string): ApiError {
  const shown = text === "" ? "An empty value" : "STRING_VALUE";
  return serialization(`${shown} can not be converted to ${wanted}`);
}

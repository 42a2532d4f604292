import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { valuesOf } from "../../../test/shape-values.ts";
import { loadShapes, SERVICE_TABLE } from "../service-table.ts";
import type { StructureShape } from "../shape.ts";
import { findViolations } from "../validate.ts";
import { readJson, writeJson } from "./json.ts";

for (const { name } of SERVICE_TABLE) {
  const shapes = loadShapes(name);
  const structures = shapes.operationNames().flatMap((operation) => {
    const found = shapes.operation(operation);
    return found === undefined ? [] : [found.input, found.output];
  });
  const shapeAndValue = fc
    .constantFrom(...structures)
    .chain((shape) =>
      valuesOf(shape, { hostile: true }).map((value): [StructureShape, typeof value] => [
        shape,
        value,
      ]),
    );

  test(`${name}: readJson() of writeJson() is the value itself`, () => {
    fc.assert(
      fc.property(shapeAndValue, ([shape, value]) => {
        const read = readJson(shape, Buffer.from(writeJson(shape, value, true)));
        assert.deepEqual(plain(read), plain(value));
      }),
      { numRuns: 300 },
    );
  });

  test(`${name}: findViolations() accepts what the shapes allow`, () => {
    fc.assert(
      fc.property(shapeAndValue, ([shape, value]) => findViolations(shape, value) === undefined),
      { numRuns: 300 },
    );
  });

  test(`${name}: readJson() of any JSON reads it or refuses it with SerializationException`, () => {
    fc.assert(
      fc.property(fc.constantFrom(...structures), fc.json({ maxDepth: 5 }), (shape, text) => {
        try {
          readJson(shape, Buffer.from(text));
        } catch (error) {
          assert.equal((error as Error).name, "SerializationException");
        }
      }),
      { numRuns: 300 },
    );
  });
}

/** Prototypes and the class of byte arrays are not part of the value. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (value instanceof Date || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(plain);
  return new Map(
    Object.keys(value)
      .sort()
      .map((key) => [key, plain((value as Record<string, unknown>)[key])]),
  );
}

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { plain } from "../../../test/door-kit.ts";
import { texts, valuesOf } from "../../../test/shape-values.ts";
import { loadShapes, SERVICE_TABLE } from "../service-table.ts";
import type { StructureShape } from "../shape.ts";
import { findViolations } from "../validate.ts";
import { decodeCbor, encodeCbor, readCbor, writeCbor } from "./cbor.ts";
import { EC2_DIALECT, formTree, parseForm, QUERY_DIALECT, readForm } from "./form.ts";
import { readJson, writeJson } from "./json.ts";
import { readRest } from "./rest-json.ts";

/** The inputs and outputs of every operation of every service; event streams have no codec of their own here. */
const structures = SERVICE_TABLE.flatMap(({ name }) => {
  const shapes = loadShapes(name);
  return shapes.operationNames().flatMap((operation) => {
    const shape = shapes.operation(operation) ?? assert.fail();
    return shape.eventStream === undefined ? [shape.input, shape.output] : [shape.input];
  });
});

const anyShape = fc.constantFrom(...structures);
const shapeAndValue = anyShape.chain((shape) =>
  valuesOf(shape, { within: "any" }).map((value): [StructureShape, typeof value] => [shape, value]),
);

/** Whatever `read` makes of a stranger's bytes, it is a value or AWS's error. */
function refusesOrReads(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    assert.equal((error as Error).name, "SerializationException");
  }
}

describe("JSON", () => {
  test("what is written reads as the value itself", () => {
    fc.assert(
      fc.property(shapeAndValue, ([shape, value]) => {
        const read = readJson(shape, Buffer.from(writeJson(shape, value, true)));
        assert.deepEqual(plain(read), plain(value));
      }),
      { numRuns: 1000 },
    );
  });

  test("any JSON is read or refused", () => {
    fc.assert(
      fc.property(anyShape, fc.json({ maxDepth: 5 }), (shape, text) =>
        refusesOrReads(() => readJson(shape, Buffer.from(text))),
      ),
      { numRuns: 1000 },
    );
  });
});

describe("CBOR", () => {
  test("what is written reads as the value itself", () => {
    fc.assert(
      fc.property(shapeAndValue, ([shape, value]) => {
        const read = readCbor(shape, writeCbor(shape, value, true));
        assert.deepEqual(plain(read), plain(value));
      }),
      { numRuns: 1000 },
    );
  });

  test("numbers of every size come back exactly", () => {
    const numbers = fc.oneof(fc.double(), fc.maxSafeInteger(), fc.integer());
    fc.assert(
      fc.property(numbers, (value) => assert.deepEqual(decodeCbor(encodeCbor(value)), value)),
      { numRuns: 1000 },
    );
  });

  test("any bytes are read or refused", () => {
    fc.assert(
      fc.property(anyShape, fc.uint8Array({ maxLength: 60 }), (shape, bytes) =>
        refusesOrReads(() => readCbor(shape, bytes)),
      ),
      { numRuns: 3000 },
    );
  });

  test("a value with any byte changed is read or refused", () => {
    const changed = fc.tuple(shapeAndValue, fc.nat(), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(changed, ([[shape, value], at, byte]) => {
        const bytes = writeCbor(shape, value, true);
        bytes[at % bytes.length] = byte;
        refusesOrReads(() => readCbor(shape, bytes));
      }),
      { numRuns: 1000 },
    );
  });
});

describe("forms", () => {
  const parts = fc.constantFrom("Name", "Tags", "member", "entry", "1", "2", "x", "key", "");
  const keys = fc.array(parts, { maxLength: 6 }).map((all) => all.join("."));
  const members = anyShape.chain((shape) =>
    fc
      .array(
        fc.tuple(
          fc.constantFrom("", ...shape.members.map((member) => member.xmlName)),
          keys,
          texts,
        ),
        { maxLength: 5 },
      )
      .map((rows): [StructureShape, string] => [
        shape,
        rows.map(([name, key, value]) => `${name}.${key}=${encodeURIComponent(value)}`).join("&"),
      ]),
  );

  for (const dialect of [QUERY_DIALECT, EC2_DIALECT]) {
    test(`any pairs are read or refused${dialect.isListFlat ? " by EC2" : ""}`, () => {
      fc.assert(
        fc.property(members, ([shape, text]) =>
          refusesOrReads(() => readForm(shape, formTree(parseForm(Buffer.from(text))), dialect)),
        ),
        { numRuns: 1000 },
      );
    });
  }

  test("parseForm() reads what URLSearchParams writes", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(texts, texts)), (pairs) => {
        const body = Buffer.from(new URLSearchParams(pairs).toString());
        assert.deepEqual([...parseForm(body)], pairs);
      }),
    );
  });

  test("any bytes are read or refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) =>
        refusesOrReads(() => formTree(parseForm(bytes))),
      ),
      { numRuns: 1000 },
    );
  });
});

test("REST: any JSON, with any texts in the URL, is read or refused", () => {
  const rest = SERVICE_TABLE.filter(({ protocols }) => protocols.includes("restJson1"));
  const inputs = rest.flatMap(({ name }) => {
    const shapes = loadShapes(name);
    return shapes.operationNames().flatMap((one) => shapes.operation(one)?.input ?? []);
  });
  fc.assert(
    fc.property(fc.constantFrom(...inputs), texts, fc.json(), (shape, text, json) => {
      const labels = new Map(shape.members.map(({ name }) => [name, text]));
      const query = shape.members.map(({ queryKey = "" }): [string, string] => [queryKey, text]);
      refusesOrReads(() => readRest(shape, { labels, query, body: Buffer.from(json) }));
    }),
    { numRuns: 1000 },
  );
});

test("findViolations() accepts what the shapes allow", () => {
  fc.assert(
    fc.property(shapeAndValue, ([shape, value]) => findViolations(shape, value).length === 0),
    { numRuns: 1000 },
  );
});

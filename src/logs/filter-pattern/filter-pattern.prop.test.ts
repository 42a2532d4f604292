import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ApiError } from "../../lib/errors.ts";
import { parseFilterPattern } from "./filter-pattern.ts";
import { splitFields } from "./space-delimited.ts";

describe("parseFilterPattern()", () => {
  test("reads or refuses any text, and what it reads matches or does not match any message", () => {
    const piece = fc.constantFrom(
      ...'{ } [ ] ( ) $ . * ? - % " \\ , = != < >= && || ... IS NULL NOT EXISTS a 1 $.a '.split(
        " ",
      ),
      " ",
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join("")),
      fc.array(piece, { maxLength: 12 }).map((pieces) => `{${pieces.join(" ")}}`),
      fc.array(piece, { maxLength: 12 }).map((pieces) => `[${pieces.join(" ")}]`),
    );
    fc.assert(
      fc.property(text, fc.oneof(fc.string(), fc.json()), (pattern, message) => {
        try {
          const { matches, extract } = parseFilterPattern(pattern);
          if (matches(message)) extract(message);
        } catch (error) {
          assert.ok(error instanceof ApiError, String(error));
        }
      }),
      { numRuns: 5_000 },
    );
  });

  test("a quoted text matches exactly the messages that contain it", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", '"', "\\", " ", "%", "[") });
    fc.assert(
      fc.property(text, text, (phrase, message) => {
        fc.pre(phrase !== "");
        const pattern = `"${phrase.replace(/["\\]/g, "\\$&")}"`;
        assert.equal(parseFilterPattern(pattern).matches(message), message.includes(phrase));
      }),
    );
  });

  test("one condition negated is its opposite wherever there is a value", () => {
    const value = fc.oneof(
      fc.string(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.integer(),
      fc.boolean(),
    );
    fc.assert(
      fc.property(
        value,
        fc.constantFrom("a*", "*a", "1", "1.5", '"x y"', "%a|b%"),
        (v, operand) => {
          const message = JSON.stringify({ v });
          const [is, isNot] = ["=", "!="].map((op) =>
            parseFilterPattern(`{ $.v ${op} ${operand} }`),
          );
          assert.notEqual(is?.matches(message), isNot?.matches(message));
        },
      ),
    );
  });
});

describe("splitFields()", () => {
  test("takes time in proportion to the message", () => {
    const started = performance.now();
    assert.equal(splitFields("[ ".repeat(100_000)).length, 100_000);
    assert.equal(splitFields('" x '.repeat(100_001)).length > 100_000, true);
    assert.ok(performance.now() - started < 5_000);
  });
});

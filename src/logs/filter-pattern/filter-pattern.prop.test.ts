import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ApiError } from "../../lib/errors.ts";
import { parseFilterPattern } from "./filter-pattern.ts";
import { LinearRegex } from "./regex.ts";
import { splitFields } from "./space-delimited.ts";

const atom = fc.constantFrom("a", "b", ".", "[ab]", "[^a]", "\\d", "\\w", "\\.", "[a-c0-1]");
const quantifier = fc.constantFrom("", "", "", "?", "*", "+", "{2}", "{0,2}", "{1,}");
const alternative = fc
  .tuple(
    fc.constantFrom("", "", "^"),
    fc.array(
      fc.tuple(atom, quantifier).map((parts) => parts.join("")),
      { maxLength: 5 },
    ),
    fc.constantFrom("", "", "$"),
  )
  .map(([start, atoms, end]) => start + atoms.join("") + end);
const expression = fc
  .array(alternative, { minLength: 1, maxLength: 3 })
  .map((alternatives) => alternatives.join("|"))
  .filter((source) => source !== "");

describe("LinearRegex", () => {
  test("agrees with JavaScript's", () => {
    fc.assert(
      fc.property(
        expression,
        fc.array(fc.string({ unit: fc.constantFrom("a", "b", "c", ".", "0", "é", " ") }), {
          minLength: 1,
          maxLength: 10,
        }),
        (source, texts) => {
          const ours = new LinearRegex(source);
          const theirs = new RegExp(source);
          for (const text of texts) assert.equal(ours.test(text), theirs.test(text), text);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("reads each character once, whatever the expression", () => {
    const source = `${".*a".repeat(20)}.{30}b{20,}`;
    const started = performance.now();
    assert.equal(new LinearRegex(source).test("a".repeat(50_000)), false);
    // A backtracking matcher would not end in the life of the machine.
    assert.ok(performance.now() - started < 10_000);
  });
});

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

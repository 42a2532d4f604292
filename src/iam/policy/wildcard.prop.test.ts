import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { matchesPattern, parsePattern } from "./wildcard.ts";

/** Few letters, so that patterns match often. */
const pattern = fc.string({
  unit: fc.constantFrom("a", "b", ":", "/", ".", "*", "?"),
  maxLength: 12,
});
const value = fc.string({ unit: fc.constantFrom("a", "b", ":", "/", ".", "*"), maxLength: 16 });

test("a pattern matches what the same regular expression matches", () => {
  fc.assert(
    fc.property(pattern, value, (text, subject) => {
      assert.equal(matchesPattern(parsePattern(text), subject), reference(text).test(subject));
    }),
    { numRuns: 5_000 },
  );
});

test("a pattern matches every value made by filling its wildcards", () => {
  const filled = pattern.chain((text) =>
    fc
      .array(value, { minLength: text.length, maxLength: text.length })
      .map((runs) => ({ text, subject: fill(text, runs) })),
  );
  fc.assert(
    fc.property(filled, ({ text, subject }) => {
      assert.ok(matchesPattern(parsePattern(text), subject));
    }),
  );
});

test("a pattern made to explode a backtracking matcher is answered at once", {
  timeout: 5_000,
}, () => {
  const text = `${"*a".repeat(1_000)}*b`;
  assert.equal(matchesPattern(parsePattern(text), "a".repeat(100_000)), false);
});

function reference(text: string): RegExp {
  const source = text.replace(/[.:/]/g, "\\$&").replaceAll("*", "[^]*").replaceAll("?", "[^]");
  return new RegExp(`^${source}$`);
}

function fill(text: string, runs: readonly string[]): string {
  return [...text]
    .map((char, index) => {
      if (char === "*") return runs[index] ?? "";
      return char === "?" ? (runs[index]?.[0] ?? "x") : char;
    })
    .join("");
}

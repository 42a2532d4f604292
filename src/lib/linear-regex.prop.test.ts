import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { LinearRegex } from "./linear-regex.ts";
import { RegexSyntaxError } from "./regex-syntax.ts";

const atom = fc.constantFrom(
  ...["a", "b", ".", "[ab]", "[^a]", "[^b-c]", "\\d", "\\W", "\\.", "[a-c0-1]", "é", "[à-ü]"],
  ...["\\b", "\\B", "^", "$", "[\\d.]", "\\x61"],
);
const quantifier = fc.constantFrom("", "", "", "?", "*", "+", "{2}", "{0,2}", "{1,}", "*?", "+?");
const { expression } = fc.letrec<{ expression: string; sequence: string; part: string }>((tie) => ({
  expression: fc
    .array(tie("sequence"), { minLength: 1, maxLength: 2, depthIdentifier: "group" })
    .map((all) => all.join("|")),
  sequence: fc
    .array(tie("part"), { maxLength: 3, depthIdentifier: "group" })
    .map((parts) => parts.join("")),
  part: fc.oneof(
    { maxDepth: 3, depthIdentifier: "group" },
    fc
      .tuple(atom, quantifier)
      .map(([one, times]) => (/^[\^$]|^\\[bB]/.test(one) ? one : one + times)),
    fc
      .tuple(fc.constantFrom("(", "(?:"), tie("expression"), quantifier)
      .map((parts) => `${parts[0]}${parts[1]})${parts[2]}`),
  ),
}));
const bounded = expression.filter((source) => source.length < 60);
const texts = fc.array(
  fc.string({ unit: fc.constantFrom("a", "b", "c", ".", "0", "é", " ", "B"), maxLength: 8 }),
  { minLength: 1, maxLength: 10 },
);

describe("LinearRegex", () => {
  test("agrees with JavaScript's", () => {
    fc.assert(
      fc.property(bounded, fc.boolean(), texts, (source, ignoresCase, given) => {
        const ours = new LinearRegex(ignoresCase ? `(?i)${source}` : source);
        const theirs = new RegExp(source, ignoresCase ? "i" : "");
        for (const text of given) assert.equal(ours.test(text), theirs.test(text), text);
      }),
      { numRuns: 3_000 },
    );
  });

  test("reads or refuses any text", () => {
    const piece = fc.constantFrom(
      ..."( ) [ ] { } \\ ^ $ * + ? | . - , a 1 (?i) (?: [:alpha:] \\d {2,3}".split(" "),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 10 }), fc.string(), (pieces, text) => {
        try {
          new LinearRegex(pieces.join("")).test(text);
        } catch (error) {
          assert.ok(error instanceof RegexSyntaxError, String(error));
        }
      }),
      { numRuns: 3_000 },
    );
  });

  test("takes time in proportion to the text, where backtracking would not end", () => {
    const started = performance.now();
    for (const source of [
      "(a+)+$",
      "(a|aa)*b",
      `${".*a".repeat(20)}.{30}b{20}`,
      "(a?){70}a{70}c",
    ]) {
      assert.equal(new LinearRegex(source).test(`${"a".repeat(50_000)}!`), false, source);
    }
    assert.ok(performance.now() - started < 20_000);
  });

  test("knows what JavaScript writes otherwise, and refuses what it does not know", () => {
    for (const [source, matching, other] of [
      ["\\A[[:alpha:]]+\\z", "abc", "ab1"],
      ["(?i)error", "An ERROR", "an err"],
      ["a(?i:B)c", "abc", "aBC"],
      ["(?P<level>INFO|WARN) ", "WARN x", "INFOx"],
      ["{x}", "{x}", "x"],
      ["a{,2}", "a{,2}", "aa"],
    ] as const) {
      const regex = new LinearRegex(source);
      assert.ok(regex.test(matching), source);
      assert.ok(!regex.test(other), source);
    }
    for (const source of [
      "(a",
      "a)",
      "[a",
      "*a",
      "a**",
      "a{2}{3}",
      "\\1",
      "(?=a)",
      "\\pL",
      "[z-a]",
      "a{2,1}",
    ]) {
      assert.throws(() => new LinearRegex(source), RegexSyntaxError, source);
    }
    assert.throws(() => new LinearRegex("(a{100}){100}"), /too large/);
  });
});

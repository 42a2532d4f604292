import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { DocumentRecord } from "./document.ts";
import { readMembers } from "./json-members.ts";

const NAMES = ["id", "lastStatus", "placement"];

/** Texts full of what could lead astray: quotes, backslashes, brackets, and the wanted names in the wrong places. */
function anyDocument(): fc.Arbitrary<unknown> {
  const text = fc.oneof(
    fc.string(),
    fc.stringMatching(/^[\\"{}[\],:]*$/),
    fc.constantFrom(...NAMES),
  );
  return fc.letrec<{ document: unknown }>((tie) => ({
    document: fc.oneof(
      { depthSize: "small" },
      text,
      fc.constantFrom(0, -1.5e-7, true, null, {}, []),
      fc.array(tie("document"), { maxLength: 4 }),
      fc.dictionary(text.filter(isReadable), tie("document"), { maxKeys: 6 }),
    ),
  })).document;
}

/** V8 13.6 takes a name with an escape for one that it has met at the same place and that ends with a backslash. */
function isReadable(name: string): boolean {
  return !name.endsWith("\\");
}

it("readMembers() gives the members that parsing the whole text would give", () => {
  fc.assert(
    fc.property(anyDocument(), (drawn) => {
      const json = JSON.stringify(drawn);
      const whole: unknown = JSON.parse(json);
      const isObject = typeof whole === "object" && whole !== null && !Array.isArray(whole);
      const expected = isObject ? (whole as Record<string, unknown>) : {};
      const read = readMembers(json, NAMES) ?? {};
      for (const name of NAMES) assert.deepEqual(read[name], expected[name]);
      for (const name in read) assert.deepEqual(read[name], expected[name]);
    }),
    { numRuns: 500 },
  );
});

it("readMembers() of a text that is cut off gives the same, or says that it cannot tell", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom(...NAMES, "a", '"'), anyDocument()),
      fc.nat(),
      (document, cut) => {
        const json = JSON.stringify(document);
        const head = json.slice(0, cut % json.length);
        const read = readMembers(head, NAMES);
        if (read === undefined || head === "") return;
        const whole = readMembers(json, NAMES) ?? {};
        for (const name of NAMES) assert.deepEqual(read[name], whole[name]);
      },
    ),
    { numRuns: 500 },
  );
});

it("members() of a record are the same before it is read and after", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom(...NAMES, "a", "b", '"'), anyDocument()),
      (document) => {
        const json = JSON.stringify(document);
        const record = new DocumentRecord("/a", 1, json);
        const before = record.members(NAMES);
        assert.deepEqual(record.value, JSON.parse(json));
        assert.deepEqual(record.members(NAMES), before);
      },
    ),
    { numRuns: 500 },
  );
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ApiError } from "../lib/errors.ts";
import { type Noun, type Selection, select } from "./select.ts";

interface Thing {
  readonly id: string;
  readonly colour?: string;
  readonly tags?: readonly { readonly Key: string; readonly Value: string }[];
}

const THING: Noun<Thing> = {
  idsName: "ThingIds",
  idOf: ({ id }) => id,
  notFound: (id) => new ApiError("InvalidThingID.NotFound", id),
  filters: { "thing-id": ({ id }) => [id], colour: ({ colour }) => [colour] },
  tagsOf: ({ tags = [] }) => tags,
};

const THINGS: readonly Thing[] = [
  { id: "t-3", colour: "red" },
  { id: "t-1", colour: "blue", tags: [{ Key: "team", Value: "web" }] },
  { id: "t-2" },
];

const WILDCARDS: ReadonlyMap<string, string> = new Map([
  ["*", ".*"],
  ["?", "."],
]);

describe("select()", () => {
  const selections: [string, Selection, string][] = [
    ["everything in the order of ids", {}, "t-1 t-2 t-3"],
    ["what is named, once", { ids: ["t-3", "t-1", "t-3"] }, "t-1 t-3"],
    ["any value of a filter", filter("colour", "red", "blue"), "t-1 t-3"],
    ["a star for any characters", filter("colour", "*e*"), "t-1 t-3"],
    ["a question mark for one", filter("colour", "?ed"), "t-3"],
    ["no wildcard where one is escaped", filter("colour", "\\*"), ""],
    ["nothing where nothing is asked for", filter("colour"), ""],
    ["the value of a tag", filter("tag:team", "w?b"), "t-1"],
    ["the name of a tag", filter("tag-key", "team"), "t-1"],
    [
      "what all filters allow",
      {
        Filters: [
          { Name: "colour", Values: ["*"] },
          { Name: "thing-id", Values: ["t-3"] },
        ],
      },
      "t-3",
    ],
  ];
  for (const [name, selection, expected] of selections) {
    test(`finds ${name}`, () => {
      assert.equal(idsOf(select(THING, THINGS, selection).items), expected);
    });
  }

  const refusals: [string, Selection, string][] = [
    ["an id that is not there", { ids: ["t-1", "t-9"] }, "InvalidThingID.NotFound"],
    ["a filter that is none", filter("weight", "1"), "InvalidParameterValue"],
    ["a page that is too small", { MaxResults: 4 }, "InvalidParameterValue"],
    ["ids and a page", { ids: ["t-1"], MaxResults: 5 }, "InvalidParameterCombination"],
    ["a token of somebody else's", { NextToken: "zzz" }, "InvalidNextToken"],
    ["a dry run, which would have done", { DryRun: true }, "DryRunOperation"],
  ];
  for (const [name, selection, code] of refusals) {
    test(`refuses ${name}`, () => {
      assert.throws(() => select(THING, THINGS, selection), { code });
    });
  }

  test("gives every thing once, page by page", () => {
    const all = Array.from({ length: 23 }, (_, index): Thing => ({ id: `t-${100 + index}` }));
    const seen: Thing[] = [];
    let NextToken: string | undefined;
    do {
      const page = select(THING, all, { MaxResults: 5, ...(NextToken && { NextToken }) });
      seen.push(...page.items);
      ({ NextToken } = page);
    } while (NextToken !== undefined);
    assert.deepEqual(seen, all);
  });

  test("matches as the regular expression would", () => {
    const pieces = fc.array(fc.constantFrom("a", "b", "*", "?"), { maxLength: 8 });
    const texts = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 10 });
    fc.assert(
      fc.property(pieces, texts, (pattern, colour) => {
        const source = pattern.map((piece) => WILDCARDS.get(piece) ?? piece).join("");
        const isMatch = new RegExp(`^${source}$`, "s").test(colour);
        const { items } = select(
          THING,
          [{ id: "t-1", colour }],
          filter("colour", pattern.join("")),
        );
        assert.equal(items.length === 1, isMatch);
      }),
    );
  });
});

function filter(Name: string, ...Values: string[]): Selection {
  return { Filters: [{ Name, Values }] };
}

function idsOf(things: readonly Thing[]): string {
  return things.map(({ id }) => id).join(" ");
}

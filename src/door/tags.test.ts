import assert from "node:assert/strict";
import { test } from "node:test";
import { addedTags, storedTags, withoutTags } from "./tags.ts";

const refuse = ({ part }: { part: string }): Error => new Error(part);

test("a tag may be called what means something in JavaScript", () => {
  const names = ["__proto__", "constructor", "team"];
  const stored = storedTags(
    names.map((Key) => ({ Key, Value: Key })),
    refuse,
  );
  const more = addedTags(stored, storedTags([{ Key: "more", Value: "1" }], refuse), refuse);
  assert.deepEqual(Object.keys(more).sort(), [...names, "more"].sort());
  assert.deepEqual(Object.keys(withoutTags(more, names)), ["more"]);
});

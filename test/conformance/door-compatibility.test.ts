import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { compatibilityText } from "../../scripts/compatibility.ts";

test("docs/compatibility.md says what the operation tables say", () => {
  const committed = readFileSync("docs/compatibility.md", "utf8");
  const fix = "run: bin/gantry-node scripts/compatibility.ts";
  assert.ok(committed === compatibilityText(), `it is out of date: ${fix}`);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { generateAll } from "../../scripts/generate-shapes.ts";
import { loadShapes, SERVICE_TABLE } from "../../src/door/service-table.ts";

test("the committed shapes are what the pinned SDK packages say", async () => {
  assert.deepEqual(await generateAll({ check: true }), [], "run: npm run shapes");
});

for (const row of SERVICE_TABLE) {
  test(`the row of ${row.name} in the service table agrees with its shapes`, () => {
    const shapes = loadShapes(row.name);
    assert.equal(shapes.target, row.target);
    assert.equal(shapes.protocol, row.protocol);
    assert.ok(shapes.exception(row.validationError), "the validation error is modelled");
  });
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { generateAll } from "../../scripts/generate-shapes.ts";
import { loadShapes, SERVICE_TABLE } from "../../src/door/service-table.ts";
import { RestRoutes } from "../../src/door/wire/rest-routes.ts";

test("the committed shapes are what the pinned SDK packages say", async () => {
  assert.deepEqual(await generateAll({ check: true }), [], "run: npm run shapes");
});

/** What these services answer is in no model, but known from their documentation and from users' reports. */
const UNMODELLED = new Set([
  "autoscaling ValidationError",
  "ec2 InvalidParameterValue",
  "elbv2 ValidationError",
  "events ValidationException",
  "iam ValidationError",
  "kms ValidationException",
  "secretsmanager ValidationException",
  "sts ValidationError",
]);

for (const row of SERVICE_TABLE) {
  test(`the row of ${row.name} in the service table agrees with its shapes`, () => {
    const shapes = loadShapes(row.name);
    assert.equal(shapes.target, row.target);
    assert.equal(shapes.version, row.version);
    assert.equal(shapes.protocol, row.protocols[0]);
    const { validationError, internalError } = row;
    if (!UNMODELLED.has(`${row.name} ${validationError}`)) {
      assert.ok(shapes.exception(validationError), `${validationError} is modelled`);
    }
    if (internalError !== undefined) {
      assert.ok(shapes.exception(internalError), `${internalError} is modelled`);
    }
  });
}

test("every path of a REST service leads to its own operation", () => {
  for (const { name, protocols } of SERVICE_TABLE) {
    if (!protocols.includes("restJson1")) continue;
    const shapes = loadShapes(name);
    const routes = new RestRoutes(shapes);
    for (const operation of shapes.operationNames()) {
      const { method, path } = shapes.operation(operation)?.http ?? assert.fail();
      const found = routes.match(method, path.replaceAll(/[{}]/g, ""));
      assert.equal(found?.shape.name, operation);
    }
  }
});

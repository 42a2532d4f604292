/** Malformed calls by a caller who has a key: an AWS error each time, never a 500, never a hang, never a crash. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Operation, Service } from "../../src/door/service.ts";
import { loadShapes, SERVICE_TABLE } from "../../src/door/service-table.ts";
import { rawRequest, testGateway, textOf } from "../door-kit.ts";
import { texts, valuesOf } from "../shape-values.ts";

const answering: Operation = {
  support: "full",
  action: "x:Y",
  resources: () => ["*"],
  handle: async () => ({}),
};
const services: Service[] = SERVICE_TABLE.map(({ name }) => ({
  name,
  operations: Object.fromEntries(
    loadShapes(name)
      .operationNames()
      .map((operation) => [operation, answering]),
  ),
}));
const gateway = testGateway({ services });

/** Headers as Node would hand them over: bytes without line ends. */
const headerValues = fc
  .string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)) })
  .filter((value) => !value.includes("\x7f"));

const operations = fc
  .constantFrom("ecs" as const, "logs" as const)
  .chain((service) =>
    fc
      .constantFrom(...loadShapes(service).operationNames())
      .map((operation) => ({ service, operation })),
  );

/** A valid input with one value somewhere in it replaced by any JSON. */
const almostValid = operations.chain(({ service, operation }) => {
  const shape = loadShapes(service).operation(operation) ?? assert.fail();
  return fc
    .tuple(valuesOf(shape.input, { within: "any" }), fc.nat(), fc.json())
    .map(([value, at, json]) => ({
      service,
      operation,
      body: spoil(JSON.stringify(value), at, json),
    }));
});

function spoil(text: string, at: number, json: string): string {
  const values = [...text.matchAll(/(?<=:)("(?:[^"\\]|\\.)*"|[-\d.e+]+|true|false|null)/g)];
  const chosen = values[at % Math.max(values.length, 1)];
  if (chosen === undefined) return json;
  return text.slice(0, chosen.index) + json + text.slice(chosen.index + chosen[0].length);
}

const EXPECTED = new Set([200, 400]);

describe("the door answers an AWS error to", () => {
  test("inputs with a value of the wrong kind", async () => {
    await fc.assert(
      fc.asyncProperty(almostValid, async (call) => {
        const reply = await gateway.handle(rawRequest(call));
        assert.ok(EXPECTED.has(reply.status), textOf(reply));
      }),
      { numRuns: 500 },
    );
  });

  test("bodies that are any bytes", async () => {
    const calls = fc.tuple(operations, fc.uint8Array({ maxLength: 64 }));
    await fc.assert(
      fc.asyncProperty(calls, async ([operation, body]) => {
        const reply = await gateway.handle(rawRequest({ ...operation, body }));
        assert.ok(EXPECTED.has(reply.status), textOf(reply));
      }),
      { numRuns: 300 },
    );
  });

  test("headers that say anything", async () => {
    const names = [
      "content-type",
      "content-encoding",
      "x-amz-target",
      "x-amz-content-sha256",
      "x-amz-anything",
      "__proto__",
    ];
    const headers = fc.dictionary(fc.constantFrom(...names), headerValues);
    await fc.assert(
      fc.asyncProperty(headers, async (given) => {
        const reply = await gateway.handle(rawRequest({ headers: given }));
        assert.ok(EXPECTED.has(reply.status), textOf(reply));
      }),
      { numRuns: 300 },
    );
  });

  test("credentials, methods, paths and queries that are anything", async () => {
    const parts = fc.record({
      authorization: fc.oneof(
        headerValues,
        headerValues.map((text) => `AWS4-HMAC-SHA256 Credential=${text}`),
      ),
      method: texts,
      path: texts,
      query: fc.oneof(
        texts,
        fc
          .dictionary(
            fc.constantFrom("X-Amz-Signature", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires"),
            texts,
          )
          .map((pairs) => new URLSearchParams(pairs).toString()),
      ),
      isSigned: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(parts, async ({ authorization, method, path, query, isSigned }) => {
        const raw = rawRequest();
        const { authorization: _, ...unsigned } = raw.headers;
        const headers = isSigned ? { ...unsigned, authorization } : unsigned;
        const reply = await gateway.handle({ ...raw, method, target: `${path}?${query}`, headers });
        assert.equal(reply.status, 400, textOf(reply));
      }),
      { numRuns: 300 },
    );
  });

  test("documents that are nested without end", async () => {
    const deep = `${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}`;
    const body = `{"family":"f","containerDefinitions":[{"name":${deep}}]}`;
    const reply = await gateway.handle(rawRequest({ operation: "RegisterTaskDefinition", body }));
    assert.equal(reply.status, 400);
    const hook = `{"service":"s","deploymentConfiguration":{"lifecycleHooks":[{"hookDetails":${deep}}]}}`;
    const second = await gateway.handle(rawRequest({ operation: "UpdateService", body: hook }));
    assert.match(textOf(second), /nested too deeply/);
  });
});

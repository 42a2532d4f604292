/** Malformed calls by a caller who has a key: an AWS error each time, never a 500, never a hang, never a crash. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { RawRequest } from "../../src/door/raw.ts";
import type { Operation, Service } from "../../src/door/service.ts";
import { loadShapes, SERVICE_TABLE } from "../../src/door/service-table.ts";
import type { ProtocolName } from "../../src/door/wire/protocol.ts";
import { rawRequest, type SignedRequest, signedRequest, testGateway, textOf } from "../door-kit.ts";
import { sdkSender } from "../sdk-client.ts";
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

/** The headers that say how a request is meant; the others are of the SDK and its signature. */
const KEPT_HEADERS = new Set([
  "content-type",
  "x-amz-target",
  "smithy-protocol",
  "x-amzn-query-mode",
]);

/** Headers as Node would hand them over: bytes without line ends. */
const headerValues = fc
  .string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)) })
  .filter((value) => !value.includes("\x7f"));

/** A valid request of every service and protocol, as the SDK makes it, for a few of its operations. */
const requests = (
  await Promise.all(
    SERVICE_TABLE.flatMap(({ name, signingName, protocols }) =>
      protocols.map((protocol) => recordRequests(name, signingName, protocol)),
    ),
  )
).flat();

async function recordRequests(
  name: string,
  signingName: string,
  protocol: ProtocolName,
): Promise<SignedRequest[]> {
  const recorded: SignedRequest[] = [];
  const recorder = {
    handle: (raw: RawRequest) => {
      const { method, target, body } = raw;
      const headers = Object.fromEntries(
        Object.entries(raw.headers).filter(([header]) => KEPT_HEADERS.has(header)),
      ) as Record<string, string>;
      recorded.push({ service: signingName, method, target, body, headers });
      return gateway.handle(raw);
    },
  };
  const send = await sdkSender(recorder, name, protocol);
  const shapes = loadShapes(name);
  for (const operation of shapes.operationNames().slice(0, 12)) {
    const shape = shapes.operation(operation) ?? assert.fail();
    const within = protocol === "ec2Query" ? "ec2" : protocol === "awsQuery" ? "query" : "sdk";
    const [input = {}] = fc.sample(valuesOf(shape.input, { within, without: ["EndpointId"] }), 1);
    // What the answer is worth does not matter here: none is of the operation's kind.
    await send(operation, input).catch(() => undefined);
  }
  return recorded;
}

/** Requests with some bytes of the body, the URL or a header replaced. */
const spoiled = fc
  .record({
    request: fc.constantFrom(...requests),
    what: fc.constantFrom("body", "body", "target", "header"),
    at: fc.nat(),
    length: fc.nat({ max: 8 }),
    bytes: fc.oneof(
      fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
      fc.json(),
      fc.constantFrom(
        "null",
        "[]",
        "{}",
        '""',
        "&",
        "=",
        ".1.",
        "%",
        "%E0",
        "\xff",
        "\xbf",
        "\x9f",
      ),
    ),
  })
  .map(({ request, what, at, length, bytes }): SignedRequest => {
    const cut = (text: string): string => {
      const start = at % (text.length + 1);
      return text.slice(0, start) + bytes + text.slice(start + length);
    };
    const { body = "", target = "/", headers = {} } = request;
    const name = Object.keys(headers)[at % Math.max(Object.keys(headers).length, 1)];
    if (what === "header" && name !== undefined) {
      const value = cut(headers[name] ?? "").replaceAll(/[^\x20-\x7e]/g, "");
      return { ...request, headers: { ...headers, [name]: value } };
    }
    if (what === "target") {
      const path = cut(target.slice(1)).replaceAll(/[^\x21-\x7e]|#|\\/g, "");
      return { ...request, target: `/${path}`.replaceAll(/\/{2,}/g, "/") };
    }
    return { ...request, body: Buffer.from(cut(Buffer.from(body).toString("latin1")), "latin1") };
  });

const EXPECTED = new Set([200, 400]);
const REFUSED = new Set([400, 403]);

describe("the door answers an AWS error to", () => {
  test("requests of every service and protocol that are spoiled in some place", async () => {
    await fc.assert(
      fc.asyncProperty(spoiled, async (request) => {
        const reply = await gateway.handle(signedRequest(request));
        assert.ok(reply.status < 500 || reply.status === 501, `${reply.status} ${textOf(reply)}`);
        assert.match(reply.headers["x-amzn-requestid"] ?? "", /^[0-9a-f-]{36}$/);
      }),
      { numRuns: 4000 },
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
        assert.ok(REFUSED.has(reply.status), textOf(reply));
      }),
      { numRuns: 300 },
    );
  });

  test("values that are nested without end, in every protocol", async () => {
    const times = 20_000;
    const json = `${'{"Aggregators":['.repeat(times)}${"]}".repeat(times)}`;
    const deep: SignedRequest[] = [
      {
        service: "ssm",
        headers: {
          "content-type": "application/x-amz-json-1.1",
          "x-amz-target": "AmazonSSM.GetInventory",
        },
        body: json,
      },
      {
        service: "monitoring",
        headers: { "smithy-protocol": "rpc-v2-cbor" },
        target: "/service/GraniteServiceVersion20100801/operation/ListMetrics",
        body: Buffer.alloc(1 << 20, 0x81),
      },
      {
        service: "monitoring",
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: `Action=ListMetrics&A${".a".repeat(500_000)}=1`,
      },
      { service: "xray", target: "/Traces", body: `{"TraceIds":${"[".repeat(100_000)}` },
    ];
    for (const request of deep) {
      const reply = await gateway.handle(signedRequest(request));
      assert.equal(reply.status, 400, textOf(reply));
    }
  });

  test("forms of millions of parameters", async () => {
    const many = Array.from({ length: 300_000 }, (_, i) => `a${i}`).join("&");
    const body = "&".repeat(4 << 20) + many;
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const reply = await gateway.handle(signedRequest({ service: "iam", headers, body }));
    assert.equal(reply.status, 400);
    assert.match(textOf(reply), /too many parameters/);
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

import assert from "node:assert/strict";
import { test } from "node:test";
import { hmacHex } from "./hmac.ts";
import {
  amzTimestamp,
  canonicalQuery,
  canonicalRequest,
  createSigner,
  EMPTY_PAYLOAD_HASH,
  parseAmzTimestamp,
  parseQuery,
  type SignRequestInput,
  sha256Hex,
  signingKey,
  signRequest,
  stringToSign,
} from "./sigv4.ts";

/** The key, day and host of AWS's published test suite (aws-sig-v4-test-suite). */
const SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TIMESTAMP = "20150830T123600Z";
const SCOPE = { date: "20150830", region: "us-east-1", service: "service" };
const BASE = { host: "example.amazonaws.com", "x-amz-date": TIMESTAMP };

interface Vector {
  readonly name: string;
  readonly method?: string;
  readonly path?: string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signature: string;
}

const VECTORS: readonly Vector[] = [
  {
    name: "get-vanilla",
    signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
  },
  {
    name: "get-vanilla-query-order-key-case",
    query: "Param2=value2&Param1=value1",
    signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
  },
  {
    name: "get-vanilla-query-unreserved",
    query:
      "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    signature: "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
  },
  {
    name: "get-header-value-trim",
    headers: { "my-header1": " value1", "my-header2": ' "a   b   c"' },
    signature: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
  },
  {
    name: "get-header-key-duplicate",
    headers: { "my-header1": "value2,value2,value1" },
    signature: "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
  },
  {
    name: "get-slashes",
    path: "//example//",
    signature: "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
  },
  {
    name: "get-relative",
    path: "/example/..",
    signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
  },
  {
    name: "post-vanilla",
    method: "POST",
    signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
  },
  {
    name: "post-x-www-form-urlencoded",
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: "Param1=value1",
    signature: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
  },
];

for (const vector of VECTORS) {
  test(`the published vector ${vector.name} has its published signature`, () => {
    const headers: Record<string, string> = { ...BASE, ...vector.headers };
    const canonical = canonicalRequest({
      method: vector.method ?? "GET",
      path: vector.path ?? "/",
      query: canonicalQuery(parseQuery(vector.query ?? "")),
      headers,
      signedHeaders: Object.keys(headers).sort(),
      payloadHash: sha256Hex(vector.body ?? ""),
    });
    const text = stringToSign(TIMESTAMP, SCOPE, canonical);
    assert.equal(hmacHex(signingKey(SECRET, SCOPE), text), vector.signature);
  });
}

test("signRequest() writes the Authorization header of get-vanilla", () => {
  const headers = signRequest({
    method: "GET",
    url: new URL("https://example.amazonaws.com/"),
    credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: SECRET },
    service: "service",
    region: "us-east-1",
    now: Date.UTC(2015, 7, 30, 12, 36),
  });
  assert.equal(
    headers.authorization,
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, " +
      "SignedHeaders=host;x-amz-date, " +
      "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
  );
});

test("the hash of an empty payload is that of nothing", () => {
  assert.equal(sha256Hex(""), EMPTY_PAYLOAD_HASH);
});

test("timestamps go there and back, and what is none is refused", () => {
  const now = Date.UTC(2026, 1, 3, 4, 5, 6);
  assert.equal(amzTimestamp(now), "20260203T040506Z");
  assert.equal(parseAmzTimestamp("20260203T040506Z"), now);
  for (const text of ["", "2026-02-03T04:05:06Z", "20261303T040506Z", "20260203T040506Zx"]) {
    assert.equal(parseAmzTimestamp(text), undefined);
  }
});

test("blanks of a header's value are looked at once, however many there are", () => {
  // Far more than a header may have: what looks again from each of them would be at it for hours.
  const blanks = " ".repeat(4_000_000);
  const canonical = canonicalRequest({
    method: "GET",
    path: "/",
    query: "",
    headers: { host: `\t ${blanks}a${blanks}b \t` },
    signedHeaders: ["host"],
    payloadHash: EMPTY_PAYLOAD_HASH,
  });
  assert.match(canonical, /^host:a b$/m);
});

test("a plus sign in a query is a space, a broken escape stays as it is", () => {
  assert.deepEqual(parseQuery("a=1+2&b=%20&c&d=%zz&e=%2B"), [
    ["a", "1 2"],
    ["b", " "],
    ["c", ""],
    ["d", "%zz"],
    ["e", "+"],
  ]);
});

test("a signer signs as signRequest() does, whatever it has signed before", () => {
  const sign = createSigner();
  const request: SignRequestInput = {
    method: "GET",
    url: new URL("http://server/ws?b=2&a=1"),
    credentials: { accessKeyId: "AKID", secretAccessKey: SECRET },
    ...{ service: "ecs", region: "us-east-1", now: Date.UTC(2026, 1, 3) },
  };
  const changes: readonly Partial<SignRequestInput>[] = [
    {},
    { body: "text" },
    { url: new URL("http://server/ws?b=2&a=3") },
    { url: new URL("http://server/ws") },
    { now: Date.UTC(2026, 1, 4) },
    { region: "eu-west-1" },
    { service: "logs" },
    { credentials: { accessKeyId: "AKID", secretAccessKey: "another" } },
    {},
  ];
  for (const change of changes) {
    for (const input of [request, { ...request, ...change }, { ...request, ...change }]) {
      assert.deepEqual(sign(input), signRequest(input));
    }
  }
});

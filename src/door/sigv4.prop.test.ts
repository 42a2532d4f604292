import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { findTestIdentity, presignedRequest, ROOT_KEY, rawRequest } from "../../test/door-kit.ts";
import { texts } from "../../test/shape-values.ts";
import { parseQuery, signRequest } from "../lib/sigv4.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";
import type { RawRequest } from "./raw.ts";
import { SignatureVerifier } from "./sigv4.ts";

const NOW = Date.UTC(2026, 0, 2, 12);
const verifier = new SignatureVerifier({
  findIdentity: findTestIdentity,
  clock: new VirtualClock(NOW),
});

/** Every way to change one byte of `text`. */
function tampered(text: string): fc.Arbitrary<string> {
  return fc
    .tuple(fc.nat({ max: text.length - 1 }), fc.integer({ min: 0x21, max: 0x7e }))
    .map(([at, code]) => text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1))
    .filter((changed) => changed !== text);
}

function refuses(raw: RawRequest): void {
  assert.throws(
    () => verifier.verify(raw),
    /InvalidSignature|IncompleteSignature|UnrecognizedClient|MissingAuthentication/,
  );
}

test("a request with any byte of a signed header changed is refused", () => {
  const raw = rawRequest({ now: NOW });
  const names = Object.keys(raw.headers);
  const changes = fc
    .constantFrom(...names)
    .chain((name) => tampered(raw.headers[name] ?? "").map((value) => ({ [name]: value })));
  verifier.verify(raw);
  fc.assert(
    fc.property(changes, (change) => refuses({ ...raw, headers: { ...raw.headers, ...change } })),
    { numRuns: 500 },
  );
});

test("a request with any byte of its body changed, added or lost is refused", () => {
  const body = '{"cluster":"demo"}';
  const raw = rawRequest({ now: NOW, body });
  const changes = fc.oneof(
    tampered(body),
    fc.constant(`${body} `),
    fc.constant(body.slice(0, -1)),
    fc.constant(""),
  );
  fc.assert(fc.property(changes, (text) => refuses({ ...raw, body: Buffer.from(text) })));
});

test("a presigned URL with any byte of its query changed is refused", () => {
  const raw = presignedRequest({ now: NOW, expiresSeconds: 60 });
  const [path, query = ""] = raw.target.split("?");
  verifier.verify(raw);
  fc.assert(
    fc.property(tampered(query), (changed) => {
      // `%2f` and `%2F` are the same text.
      fc.pre(!isDeepStrictEqual(parseQuery(changed), parseQuery(query)));
      refuses({ ...raw, target: `${path}?${changed}` });
    }),
    { numRuns: 500 },
  );
});

test("whatever signRequest() signs, verify() accepts", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(texts, texts), { maxLength: 4 }),
      texts.map((path) => `/${encodeURIComponent(path)}`),
      texts,
      (pairs, path, body) => {
        const url = new URL(`http://127.0.0.1:4566${path}`);
        url.search = new URLSearchParams(pairs).toString().replaceAll("+", "%20");
        const common = { credentials: ROOT_KEY, service: "ecs", region: "eu-west-1", now: NOW };
        const headers = signRequest({ method: "PUT", url, body, ...common });
        const verified = verifier.verify({
          method: "PUT",
          target: url.pathname + url.search,
          headers,
          body: Buffer.from(body),
          sourceIp: "",
          signal: new AbortController().signal,
        });
        assert.equal(verified.region, "eu-west-1");
      },
    ),
  );
});

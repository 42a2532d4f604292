import assert from "node:assert/strict";
import { test } from "node:test";
import {
  findTestIdentity,
  presignedRequest,
  ROOT_KEY,
  rawRequest,
  SESSION_KEY,
} from "../../test/door-kit.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";
import type { RawRequest } from "./raw.ts";
import { claimedService, SignatureVerifier } from "./sigv4.ts";

const NOW = Date.UTC(2026, 0, 2, 12);
const MINUTE = 60_000;

function verifierAt(now: number): SignatureVerifier {
  return new SignatureVerifier({
    findIdentity: findTestIdentity,
    clock: new VirtualClock(now),
  });
}

function withHeaders(raw: RawRequest, headers: Record<string, string | undefined>): RawRequest {
  return { ...raw, headers: { ...raw.headers, ...headers } };
}

test("verify() tells the principal, region and service of a good signature", () => {
  const verified = verifierAt(NOW).verify(rawRequest({ now: NOW, service: "logs" }));
  assert.equal(verified.principal.accessKeyId, ROOT_KEY.accessKeyId);
  assert.equal(verified.region, "us-east-1");
  assert.equal(verified.service, "logs");
});

test("a claim is looked for once, whatever a stranger sends", () => {
  const raw = rawRequest({ now: NOW, service: "logs" });
  assert.equal(claimedService(raw), "logs");
  // Far more than a header may have: what reads on to the end from each of them would be at it for hours.
  const authorization = "Credential=".repeat(400_000);
  assert.equal(claimedService(withHeaders(raw, { authorization })), undefined);
});

test("a request that is not signed is refused", () => {
  const raw = withHeaders(rawRequest({ now: NOW }), { authorization: undefined });
  assert.throws(() => verifierAt(NOW).verify(raw), {
    code: "MissingAuthenticationTokenException",
    message: "Missing Authentication Token",
  });
});

test("an unknown access key is refused", () => {
  const raw = rawRequest({ now: NOW, credentials: { ...ROOT_KEY, accessKeyId: "AKIAOTHER" } });
  assert.throws(() => verifierAt(NOW).verify(raw), {
    code: "UnrecognizedClientException",
    message: "The security token included in the request is invalid.",
  });
});

test("a wrong secret is refused", () => {
  const raw = rawRequest({ now: NOW, credentials: { ...ROOT_KEY, secretAccessKey: "guess" } });
  assert.throws(() => verifierAt(NOW).verify(raw), { code: "InvalidSignatureException" });
});

test("five minutes of skew are accepted, a second more is not", () => {
  const raw = rawRequest({ now: NOW });
  verifierAt(NOW + 5 * MINUTE).verify(raw);
  verifierAt(NOW - 5 * MINUTE).verify(raw);
  assert.throws(() => verifierAt(NOW + 5 * MINUTE + 1000).verify(raw), {
    code: "InvalidSignatureException",
    message:
      "Signature expired: 20260102T120000Z is now earlier than 20260102T120001Z (20260102T120501Z - 5 min.)",
  });
  assert.throws(() => verifierAt(NOW - 5 * MINUTE - 1000).verify(raw), {
    code: "InvalidSignatureException",
    message:
      "Signature not yet current: 20260102T120000Z is still later than 20260102T115959Z (20260102T115459Z + 5 min.)",
  });
});

test("a session key needs its own token", () => {
  const good = rawRequest({ now: NOW, credentials: SESSION_KEY });
  assert.equal(verifierAt(NOW).verify(good).principal.kind, "role-session");
  const without = { ...SESSION_KEY, sessionToken: "of another session" };
  const bad = rawRequest({ now: NOW, credentials: without });
  assert.throws(() => verifierAt(NOW).verify(bad), { code: "UnrecognizedClientException" });
});

test("a signature with rubbish behind it is refused", () => {
  const raw = rawRequest({ now: NOW });
  for (const rubbish of ["x", "0", "00", " "]) {
    const changed = withHeaders(raw, { authorization: `${raw.headers.authorization}${rubbish}` });
    assert.throws(() => verifierAt(NOW).verify(changed));
  }
});

test("a claimed payload hash must be that of the body", () => {
  const hash = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
  const claim = (value: string): RawRequest =>
    rawRequest({ now: NOW, headers: { "x-amz-content-sha256": value } });
  verifierAt(NOW).verify(claim(hash));
  for (const value of ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", `${hash}0`]) {
    assert.throws(() => verifierAt(NOW).verify(claim(value)), {
      code: "InvalidSignatureException",
    });
  }
});

test("headers that say what the request is must be signed", () => {
  const raw = rawRequest({ now: NOW });
  assert.throws(() => verifierAt(NOW).verify(withHeaders(raw, { "x-amz-new": "1" })), {
    message: "'x-amz-new' must be a 'SignedHeader' in the AWS Authorization.",
  });
});

test("a presigned URL lives as long as it says", () => {
  const raw = presignedRequest({ now: NOW, expiresSeconds: 60 });
  verifierAt(NOW + 60_000).verify(raw);
  assert.throws(() => verifierAt(NOW + 61_000).verify(raw), { code: "InvalidSignatureException" });
  const week = presignedRequest({ now: NOW, expiresSeconds: 604_801 });
  assert.throws(() => verifierAt(NOW).verify(week), { code: "InvalidSignatureException" });
});

test("a presigned URL of a session carries its token under the signature", () => {
  const raw = presignedRequest({ now: NOW, expiresSeconds: 60, credentials: SESSION_KEY });
  assert.equal(verifierAt(NOW).verify(raw).principal.kind, "role-session");
});

test("a key that has changed its secret is not verified by the old one", () => {
  let secretAccessKey = ROOT_KEY.secretAccessKey;
  const { principal } = findTestIdentity(ROOT_KEY.accessKeyId, undefined) ?? assert.fail();
  const verifier = new SignatureVerifier({
    findIdentity: () => ({ principal, secretAccessKey }),
    clock: new VirtualClock(NOW),
  });
  verifier.verify(rawRequest({ now: NOW }));
  secretAccessKey = "rotated";
  assert.throws(() => verifier.verify(rawRequest({ now: NOW })));
  verifier.verify(rawRequest({ now: NOW, credentials: { ...ROOT_KEY, secretAccessKey } }));
});

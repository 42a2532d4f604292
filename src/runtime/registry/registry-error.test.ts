import assert from "node:assert/strict";
import { test } from "node:test";
import { networkError } from "./registry-error.ts";

const URL_TRIED = new URL("https://registry.example:5000/v2/");

/** What a system error of this code becomes. */
function failureOf(code: string): ReturnType<typeof networkError> {
  return networkError(Object.assign(new Error(`the words of ${code}`), { code }), URL_TRIED);
}

test("networkError() tells what may pass from what stays as it is, and from what is not there", () => {
  const kinds = (codes: readonly string[]): readonly unknown[] =>
    codes.map(failureOf).map(({ isAbsence, isTransient }) => [isTransient, isAbsence]);
  assert.deepEqual(kinds(["ETIMEDOUT", "ECONNRESET", "EAI_AGAIN"]), Array(3).fill([true, false]));
  assert.deepEqual(kinds(["ECONNREFUSED", "ENOTFOUND"]), Array(2).fill([true, true]));
  const tls = [
    "SELF_SIGNED_CERT_IN_CHAIN",
    "CERT_HAS_EXPIRED",
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "ERR_SSL_WRONG_VERSION_NUMBER",
    "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE",
    "CERT_REVOKED",
  ];
  assert.deepEqual(kinds(tls), Array(tls.length).fill([false, false]));
});

test("networkError() says what can be done", () => {
  const wanted: readonly (readonly [string, RegExp, RegExp])[] = [
    ["ENOTFOUND", /lookup registry\.example: no such host$/, /nobody is called registry\.example$/],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", /unknown authority$/, /update-ca-certificates.*--insecure-reg/],
    ["ERR_SSL_WRONG_VERSION_NUMBER", /HTTP response to HTTPS client$/, /registries registry\.exam/],
    [
      "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION",
      /tls: the words of/,
      /how registry\.example:5000 speaks TLS/,
    ],
  ];
  for (const [code, message, remedy] of wanted) {
    assert.match(failureOf(code).message, message);
    assert.match(failureOf(code).remedy ?? "", remedy);
  }
});

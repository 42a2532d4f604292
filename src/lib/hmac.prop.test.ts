import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { hmacHex, hmacKey } from "./hmac.ts";

test("it is the HMAC of the crypto library, for keys shorter and longer than a block", () => {
  const ascii = fc.string({ unit: "binary-ascii", maxLength: 300 });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 130 }), ascii, (secret, text) => {
      const expected = createHmac("sha256", secret).update(text).digest("hex");
      assert.equal(hmacHex(hmacKey(secret), text), expected);
    }),
  );
});

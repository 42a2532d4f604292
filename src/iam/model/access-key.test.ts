import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { systemRandom } from "../../lib/random.ts";
import { accountOfSessionKeyId, formatAccessKeyId, formatSessionKeyId } from "./access-key.ts";

test("a session's key id names its account, and no other id does", () => {
  fc.assert(
    fc.property(fc.nat({ max: 999_999_999_999 }), (number) => {
      const accountId = String(number).padStart(12, "0");
      const id = formatSessionKeyId(accountId, systemRandom.bytes(16));
      assert.match(id, /^ASIA[A-Z2-7]{16}$/);
      assert.equal(accountOfSessionKeyId(id), accountId);
    }),
  );
  for (const id of [formatAccessKeyId(systemRandom.bytes(16)), "ASIA", `ASIA${"7".repeat(16)}`]) {
    assert.equal(accountOfSessionKeyId(id), undefined);
  }
});

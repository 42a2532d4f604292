import assert from "node:assert/strict";
import { test } from "node:test";
import { UnavailableError } from "../lib/errors.ts";
import { addressTowards } from "./machine-address.ts";

test("addressTowards(): a machine knows its address while the server is away", async () => {
  // Nobody listens on port 1.
  assert.equal(await addressTowards("https://127.0.0.1:1"), "127.0.0.1");
  assert.equal(await addressTowards("http://localhost:1"), "127.0.0.1");
});

test("addressTowards(): a server whose name nobody knows cannot be reached", async () => {
  await assert.rejects(addressTowards("https://no-such-host.invalid:443"), (error: Error) => {
    assert.ok(error instanceof UnavailableError);
    return error.message.startsWith("cannot reach https://no-such-host.invalid:443: ");
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { UnavailableError } from "../lib/errors.ts";
import { silentLog } from "../lib/log.ts";
import { systemRandom } from "../lib/random.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";
import { addressOnceReachable, addressTowards } from "./machine-address.ts";

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

test("addressOnceReachable(): whoever waits for a way to the server can be stopped", async () => {
  const clock = new VirtualClock();
  const deps = { clock, random: systemRandom, log: silentLog };
  const stop = new AbortController();
  const waiting = addressOnceReachable("https://no-such-host.invalid:443", deps, stop.signal);
  while (clock.sleeperCount === 0) await setImmediate();
  stop.abort();
  assert.equal(await waiting, undefined);
});

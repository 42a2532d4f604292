import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { silentLog } from "../lib/log.ts";
import { systemRandom } from "../lib/random.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";
import { createCache } from "./cache.ts";
import { type Controller, runController } from "./controller.ts";
import { openMemoryStore } from "./memory.ts";

describe("runController()", () => {
  it("looks at every object at the start and at each one that changes, until told to stop", async (t) => {
    const store = openMemoryStore();
    const clock = new VirtualClock();
    const cache = createCache({ store, indexes: {}, log: silentLog });
    const abort = new AbortController();
    const following = cache.run(abort.signal);
    t.after(() => abort.abort());
    await store.txn([], [{ key: "/old", value: 1 }]);
    await cache.reached(1);

    const looks: unknown[] = [];
    const controller: Controller = {
      name: "doubler",
      keysFor: ({ key }) => [key],
      allKeys: (all) => all.list("/").map(({ key }) => key),
      reconcile: async (key) => {
        looks.push([key, cache.get(key)?.value]);
        if (looks.length === 2) throw new Error("once");
        return undefined;
      },
    };
    const deps = { cache, clock, random: systemRandom, log: silentLog };
    const running = runController(controller, deps, abort.signal);
    await clock.advance(0);
    await store.txn([], [{ key: "/new", value: 1 }]);
    await clock.advance(60_000);
    await store.txn([], [{ key: "/new", value: 2 }]);
    await clock.advance(0);
    assert.deepEqual(looks, [
      ["/old", 1],
      ["/new", 1],
      ["/new", 1],
      ["/new", 2],
    ]);

    abort.abort();
    await Promise.all([running, following]);
    await store.txn([], [{ key: "/late", value: 1 }]);
    assert.equal(looks.length, 4);
  });
});

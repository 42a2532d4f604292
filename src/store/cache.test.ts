import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { CompactedError, UnavailableError } from "../lib/errors.ts";
import { silentLog } from "../lib/log.ts";
import { type Cache, type CacheChange, createCache } from "./cache.ts";
import { type IndexDefinitions, indexesOf } from "./cache-index.ts";
import { commit } from "./commit.ts";
import { plain } from "./contract-model.ts";
import { openMemoryStore } from "./memory.ts";
import type { Store } from "./store.ts";

/** Each word under each of its letters. */
const indexes: IndexDefinitions = {
  "test/words": indexesOf<{ text: string }>()(
    ["text"],
    { letters: ({ text }) => [...text] },
    { counts: { wordsWith: ({ text }) => [...text] } },
  ),
};

const WORDS = "/account/region/test/words/";

interface Following {
  readonly store: Store;
  readonly cache: Cache;
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

async function follow(t: TestContext, store: Store = openMemoryStore()): Promise<Following> {
  const cache = createCache({ store, indexes, log: silentLog });
  const abort = new AbortController();
  const ended = cache.run(abort.signal);
  const stop = (): Promise<void> => {
    abort.abort();
    return ended;
  };
  t.after(() => stop().catch(() => undefined));
  await cache.reached(0);
  return { store, cache, ended, stop };
}

/** `store`, except that the first watch brings nothing and ends with CompactedError. */
function withoutFirstWatch(store: Store, lost: Promise<void>): Store {
  let watches = 0;
  async function* broken(): AsyncIterable<never> {
    await lost;
    yield* [];
    throw new CompactedError("history is gone");
  }
  return {
    scan: (prefix, onPage) => store.scan(prefix, onPage),
    list: (prefix) => store.list(prefix),
    txn: (compare, write) => store.txn(compare, write),
    watch: (prefix, from, signal) =>
      watches++ === 0 ? broken() : store.watch(prefix, from, signal),
    compact: (before) => store.compact(before),
    close: () => store.close(),
  };
}

function put(deps: Following, key: string, value: unknown): Promise<boolean> {
  return commit(deps, [], [{ key, value }]);
}

function keys(records: readonly { readonly key: string }[]): string[] {
  return records.map(({ key }) => key);
}

describe("cache", () => {
  it("shows what the store held before and what is written after", async (t) => {
    const store = openMemoryStore();
    await store.txn([], [{ key: "/b", value: 1 }]);
    const following = await follow(t, store);
    assert.equal(following.cache.get("/b")?.value, 1);
    await put(following, "/a", 2);
    await put(following, "/b", undefined);
    assert.deepEqual(following.cache.list("/").map(plain), [{ key: "/a", value: 2, revision: 2 }]);
    assert.equal(following.cache.revision, 3);
  });

  it("is current by the time a transaction is answered", async (t) => {
    const { store, cache } = await follow(t);
    const result = await store.txn([], [{ key: "/a", value: 1 }]);
    assert.ok(result.ok);
    assert.equal(cache.revision, result.revision);
  });

  it("commit() tells whether the comparison held", async (t) => {
    const following = await follow(t);
    assert.equal(await put(following, "/a", 1), true);
    const again = commit(following, [{ key: "/a", revision: 0 }], [{ key: "/a", value: 2 }]);
    assert.equal(await again, false);
    assert.equal(following.cache.get("/a")?.value, 1);
  });

  it("indexes of what the store held before follow what is written after", async (t) => {
    const store = openMemoryStore();
    const held = ["cc", "ab", "b"].map((text, i) => ({ key: `${WORDS}${i}`, value: { text } }));
    await store.txn([], held);
    const following = await follow(t, store);
    const under = (letter: string): unknown[] =>
      keys(following.cache.lookup("letters", letter)).map((key) => key.slice(WORDS.length));
    await put(following, `${WORDS}2`, undefined);
    await put(following, `${WORDS}1`, { text: "ac" });
    assert.deepEqual(following.cache.valuesOf("letters").toSorted(), ["a", "c"]);
    assert.deepEqual([under("a"), under("b"), under("c")], [["1"], [], ["0", "1"]]);
  });

  it("indexes follow their records, in key order", async (t) => {
    const following = await follow(t);
    const { cache } = following;
    const write = (name: string, text: string): Promise<boolean> =>
      put(following, `${WORDS}${name}`, { length: text.length, text });
    const under = (letter: string): unknown[] =>
      cache.lookup("letters", letter).map(({ key, value }) => [key.slice(WORDS.length), value]);
    await write("2", "ab");
    await write("1", "bc");
    await put(following, "/account/region/test/others/1", { text: "b" });
    const [ab, bc] = [
      ["2", { length: 2, text: "ab" }],
      ["1", { length: 2, text: "bc" }],
    ];
    assert.deepEqual(under("b"), [bc, ab]);
    await write("1", "c");
    await write("2", "bd");
    assert.deepEqual(under("a"), []);
    assert.deepEqual(under("b"), [["2", { length: 2, text: "bd" }]]);
    await put(following, `${WORDS}2`, undefined);
    assert.deepEqual(under("d"), []);
    assert.throws(() => cache.lookup("unknown", "x"));
  });

  it("counts what stands under a value, of what was held before and what is written after", async (t) => {
    const store = openMemoryStore();
    const held = ["ab", "b"].map((text, i) => ({ key: `${WORDS}${i}`, value: { text } }));
    await store.txn([], held);
    const following = await follow(t, store);
    const counts = () =>
      ["a", "b", "c"].map((letter) => following.cache.count("wordsWith", letter));
    assert.deepEqual(counts(), [1, 2, 0]);
    await put(following, `${WORDS}1`, { text: "bc" });
    await put(following, `${WORDS}2`, { text: "c" });
    await put(following, `${WORDS}0`, undefined);
    assert.deepEqual(counts(), [0, 1, 2]);
    assert.throws(() => following.cache.count("letters", "a"));
  });

  it("subscribers hear of each change with what was before, and see it in the view", async (t) => {
    const following = await follow(t);
    const heard: CacheChange[] = [];
    const unsubscribe = following.cache.subscribe((changes) => {
      for (const change of changes) {
        assert.equal(following.cache.get(change.key), change.after);
        heard.push(change);
      }
    });
    await put(following, "/a", 1);
    await put(following, "/a", 2);
    await put(following, "/a", undefined);
    unsubscribe();
    await put(following, "/a", 3);
    assert.deepEqual(
      heard.map(({ before, after }) => [before?.value, after?.value]),
      [
        [undefined, 1],
        [1, 2],
        [2, undefined],
      ],
    );
  });

  it("tells who subscribed before the first list what is in it", async () => {
    const store = openMemoryStore();
    await store.txn([], [{ key: "/a", value: 1 }]);
    const cache = createCache({ store, indexes, log: silentLog });
    const heard: string[] = [];
    cache.subscribe((changes) => {
      for (const { key } of changes) heard.push(key);
    });
    const abort = new AbortController();
    const ended = cache.run(abort.signal);
    await cache.reached(0);
    assert.deepEqual(heard, ["/a"]);
    abort.abort();
    await ended;
  });

  it("a listener that throws stops neither the view nor other listeners", async (t) => {
    const following = await follow(t);
    let heard = 0;
    following.cache.subscribe(() => {
      throw new Error("a bug");
    });
    following.cache.subscribe(() => {
      heard += 1;
    });
    await put(following, "/a", 1);
    assert.equal(heard, 1);
  });

  it("lists again when history is gone, and tells subscribers only what differs", async (t) => {
    const store = openMemoryStore();
    for (const key of ["/changed", "/gone", "/same"]) await store.txn([], [{ key, value: 1 }]);
    const historyLost = Promise.withResolvers<void>();
    const { cache } = await follow(t, withoutFirstWatch(store, historyLost.promise));
    const heard: (readonly [string, unknown])[] = [];
    cache.subscribe((changes) => {
      for (const { key, after } of changes) heard.push([key, after?.value]);
    });
    await store.txn([], [{ key: "/changed", value: 2 }]);
    await store.txn([], [{ key: "/gone", value: undefined }]);
    await store.txn([], [{ key: "/new", value: 3 }]);
    assert.equal(cache.revision, 3, "the broken watch brings nothing");
    historyLost.resolve();
    await cache.reached(6);
    assert.deepEqual(keys(cache.list("/")), ["/changed", "/new", "/same"]);
    assert.deepEqual(heard, [
      ["/gone", undefined],
      ["/changed", 2],
      ["/new", 3],
    ]);
  });

  it("keeps nobody waiting once it has stopped", async (t) => {
    const { cache, store, ended } = await follow(t);
    const waiting = assert.rejects(cache.reached(100), UnavailableError);
    const stopped = assert.rejects(ended, UnavailableError);
    await store.close();
    await stopped;
    await waiting;
    await assert.rejects(cache.reached(100), UnavailableError);
  });
});

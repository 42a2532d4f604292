import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { CompactedError, InvariantError, UnavailableError } from "../lib/errors.ts";
import { STORE_KEY_LENGTH_MAX } from "../lib/limits.ts";
import { contents, plain, plainChange, testStoreModel } from "./contract-model.ts";
import type { Change, Store, StoreRecord } from "./store.ts";

/** One fresh, empty set of data. */
export interface StoreFixture {
  readonly store: Store;
  /** Closes the store and opens the same data again. Only called where the backend is durable. */
  reopen(): Promise<Store>;
  /** Closes what is open and removes the data. */
  dispose(): Promise<void>;
}

/** A backend under test. */
export interface Backend {
  readonly name: string;
  /** Whether data outlives the store. */
  readonly durable: boolean;
  open(): Promise<StoreFixture>;
}

/** The behaviour every backend of `Store` shares, as tests. */
export function testStoreContract(backend: Backend): void {
  const fresh = async (t: TestContext): Promise<StoreFixture> => {
    const fixture = await backend.open();
    t.after(() => fixture.dispose());
    return fixture;
  };
  describe(`${backend.name}: Store contract`, () => {
    testRecords(fresh);
    testTransactions(fresh);
    testRefusals(fresh);
    testWatch(fresh);
    testHistory(fresh);
    if (backend.durable) testReopening(fresh);
    testStoreModel(backend);
  });
}

type Fresh = (t: TestContext) => Promise<StoreFixture>;

function testRecords(fresh: Fresh): void {
  it("list() gives the records below a prefix in key order", async (t) => {
    const { store } = await fresh(t);
    for (const key of ["/b/2", "/a/1", "/b/10", "/b", "/b/1", "/ba", "/c"]) {
      await put(store, key, key);
    }
    assert.deepEqual(await keysBelow(store, "/b/"), ["/b/1", "/b/10", "/b/2"]);
    assert.deepEqual(await keysBelow(store, "/b"), ["/b", "/b/1", "/b/10", "/b/2", "/ba"]);
    assert.deepEqual(await keysBelow(store, "/none/"), []);
    assert.equal((await keysBelow(store, "/")).length, 7);
  });

  it("scan() tells each of the records below a prefix once", async (t) => {
    const { store } = await fresh(t);
    for (const key of ["/b/2", "/a/1", "/b/1"]) await put(store, key, key);
    const told: StoreRecord[] = [];
    const revision = await store.scan("/b/", (page) => told.push(...page));
    assert.equal(revision, 3);
    const { records } = await store.list("/b/");
    assert.deepEqual(
      told.toSorted((a, b) => a.revision - b.revision).map(plain),
      records.toSorted((a, b) => a.revision - b.revision).map(plain),
    );
  });

  it("a record is what was written, at the transaction's revision, and frozen", async (t) => {
    const { store } = await fresh(t);
    const value = { text: "ä\u0000😀", list: [1, -2.5, null, true], map: { a: { b: [{}] } } };
    const revision = await put(store, "/x", value);
    const [record] = (await store.list("/")).records;
    assert.deepEqual(record && plain(record), { key: "/x", value, revision });
    const read = record?.value as typeof value;
    for (const part of [read, read.list, read.map, read.map.a, read.map.a.b]) {
      assert.ok(Object.isFrozen(part));
    }
  });

  it("a record does not change with the object it was written from", async (t) => {
    const { store } = await fresh(t);
    const value = { count: 1 };
    const written = store.txn([], [{ key: "/x", value }]);
    value.count = 2;
    await written;
    assert.deepEqual((await store.list("/")).records[0]?.value, { count: 1 });
  });

  it("falsy documents are documents, and undefined members are absent", async (t) => {
    const { store } = await fresh(t);
    const documents = [0, "", false, null, [], {}];
    for (const [i, value] of documents.entries()) await put(store, `/${i}`, value);
    await put(store, "/z", { gone: undefined });
    const { records } = await store.list("/");
    assert.deepEqual(
      records.map(({ value }) => value),
      [...documents, {}],
    );
  });
}

function testTransactions(fresh: Fresh): void {
  it("a transaction writes all its records at one revision", async (t) => {
    const { store } = await fresh(t);
    await put(store, "/old", 1);
    const result = await store.txn(
      [],
      [
        { key: "/a", value: 1 },
        { key: "/b", value: 2 },
        { key: "/old", value: undefined },
      ],
    );
    assert.deepEqual(result, { ok: true, revision: 2 });
    assert.deepEqual(await contents(store), {
      revision: 2,
      records: [
        { key: "/a", value: 1, revision: 2 },
        { key: "/b", value: 2, revision: 2 },
      ],
    });
  });

  it("a transaction whose comparison fails has no effect", async (t) => {
    const { store } = await fresh(t);
    const revision = await put(store, "/a", 1);
    const write = [{ key: "/b", value: 1 }];
    for (const compare of [
      [{ key: "/a", revision: 0 }],
      [{ key: "/a", revision: revision + 1 }],
      [{ key: "/missing", revision }],
      [
        { key: "/a", revision },
        { key: "/a", revision: 0 },
      ],
    ]) {
      assert.deepEqual(await store.txn(compare, write), { ok: false, revision });
    }
    assert.equal((await store.list("/")).revision, revision);
    const both = [
      { key: "/a", revision },
      { key: "/b", revision: 0 },
    ];
    assert.deepEqual(await store.txn(both, write), { ok: true, revision: revision + 1 });
  });

  it("of many who create the same record at once exactly one succeeds", async (t) => {
    const { store } = await fresh(t);
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, value) =>
        store.txn([{ key: "/x", revision: 0 }], [{ key: "/x", value }]),
      ),
    );
    assert.equal(results.filter(({ ok }) => ok).length, 1);
    assert.equal((await store.list("/")).revision, 1);
  });

  it("deleting makes a record that does not exist; deleting nothing changes nothing", async (t) => {
    const { store } = await fresh(t);
    await put(store, "/x", 1);
    assert.deepEqual(await store.txn([], [{ key: "/x", value: undefined }]), {
      ok: true,
      revision: 2,
    });
    assert.deepEqual(await store.txn([], [{ key: "/x", value: undefined }]), {
      ok: true,
      revision: 2,
    });
    const created = await store.txn([{ key: "/x", revision: 0 }], [{ key: "/x", value: 2 }]);
    assert.deepEqual(created, { ok: true, revision: 3 });
  });

  it("a transaction without writes compares only", async (t) => {
    const { store } = await fresh(t);
    const revision = await put(store, "/x", 1);
    assert.deepEqual(await store.txn([{ key: "/x", revision }], []), { ok: true, revision });
    assert.deepEqual(await store.txn([{ key: "/x", revision: 0 }], []), {
      ok: false,
      revision,
    });
  });
}

function testRefusals(fresh: Fresh): void {
  it("refuses what no caller may ask for, without effect", async (t) => {
    const { store } = await fresh(t);
    const refused = [
      [{ key: "no-slash", value: 1 }],
      [{ key: "/with space", value: 1 }],
      [{ key: `/${"k".repeat(STORE_KEY_LENGTH_MAX)}`, value: 1 }],
      [
        { key: "/a", value: 1 },
        { key: "/a", value: 2 },
      ],
      [
        { key: "/ok", value: 1 },
        { key: "/big", value: "x".repeat(2_000_000) },
      ],
      Array.from({ length: 1000 }, (_, i) => ({ key: `/${i}`, value: 1 })),
    ];
    for (const write of refused) await assert.rejects(store.txn([], write), InvariantError);
    assert.deepEqual(await store.list("/"), { revision: 0, records: [] });
  });

  it("a closed store keeps nobody waiting", async (t) => {
    const { store } = await fresh(t);
    const write = put(store, "/x", 1);
    const ended = assert.rejects(collect(store, "/y", 0, 1, t.signal), UnavailableError);
    await store.close();
    assert.equal(await write, 1, "what was promised before is kept");
    await ended;
    await assert.rejects(put(store, "/x", 2), UnavailableError);
    await assert.rejects(store.list("/"), UnavailableError);
  });
}

function testWatch(fresh: Fresh): void {
  it("watch() gives past and future changes below a prefix, in order, none missing", async (t) => {
    const { store } = await fresh(t);
    await put(store, "/a/1", "first");
    await put(store, "/other", 0);
    const seen = collect(store, "/a/", 0, 3, t.signal);
    await put(store, "/a/2", "second");
    await store.txn(
      [],
      [
        { key: "/a/1", value: undefined },
        { key: "/other", value: 1 },
      ],
    );
    assert.deepEqual((await seen).flat().map(plainChange), [
      { key: "/a/1", value: "first", revision: 1 },
      { key: "/a/2", value: "second", revision: 3 },
      { key: "/a/1", value: undefined, revision: 4 },
    ]);
  });

  it("watch() resumes after the revision it is given and never splits a transaction", async (t) => {
    const { store } = await fresh(t);
    for (let i = 1; i <= 5; i++) {
      await store.txn(
        [],
        [
          { key: "/a", value: i },
          { key: "/b", value: i },
        ],
      );
    }
    const batches = await collect(store, "/", 2, 6, t.signal);
    assert.deepEqual(
      batches.flat().map(({ revision }) => revision),
      [3, 3, 4, 4, 5, 5],
    );
    for (const batch of batches) {
      assert.notEqual(batch[0]?.revision, batches[batches.indexOf(batch) - 1]?.at(-1)?.revision);
    }
  });

  it("list() followed by watch() sees everything exactly once, under concurrent writes", async (t) => {
    const { store } = await fresh(t);
    const writes = Array.from({ length: 100 }, (_, i) => put(store, `/${i}`, i));
    await writes[20];
    const { revision, records } = await store.list("/");
    const changes = await collect(store, "/", revision, 100 - records.length, t.signal);
    const written = changes.flat().map(({ record }) => record);
    const seen = [...records, ...written].map((record) => record?.value as number);
    assert.deepEqual(
      seen.sort((a, b) => a - b),
      [...Array(100).keys()],
    );
    await Promise.all(writes);
  });

  it("watch() ends when its signal aborts, also one that waits", async (t) => {
    const { store } = await fresh(t);
    const abort = new AbortController();
    const watching = collect(store, "/", 0, 1, abort.signal);
    abort.abort();
    assert.deepEqual(await watching, []);
    assert.deepEqual(await collect(store, "/", 0, 1, AbortSignal.abort()), []);
  });

  it("watch() tells a reader that fell too far behind to list again", async (t) => {
    const { store } = await fresh(t);
    const watch = store.watch("/", 0, t.signal)[Symbol.asyncIterator]();
    await put(store, "/x", -1);
    await watch.next();
    for (let round = 0; round < 120; round++) {
      await Promise.all(Array.from({ length: 100 }, (_, i) => put(store, `/x${i}`, round)));
    }
    await assert.rejects(async () => {
      while (!(await watch.next()).done);
    }, CompactedError);
  });
}

function testHistory(fresh: Fresh): void {
  it("compact() drops history, not records", async (t) => {
    const { store } = await fresh(t);
    for (let i = 1; i <= 5; i++) await put(store, `/${i}`, i);
    await store.compact(4);
    await assert.rejects(collect(store, "/", 2, 1, t.signal), CompactedError);
    assert.equal((await collect(store, "/", 3, 2, t.signal)).flat().length, 2);
    assert.equal((await store.list("/")).records.length, 5);
    await store.compact(1000);
    await put(store, "/6", 6);
    const [[last] = []] = await collect(store, "/", 5, 1, t.signal);
    assert.deepEqual(last && plainChange(last), { key: "/6", value: 6, revision: 6 });
  });
}

function testReopening(fresh: Fresh): void {
  it("opening again brings back every record and the revision", async (t) => {
    const fixture = await fresh(t);
    for (let i = 0; i < 20; i++) await put(fixture.store, `/${i % 7}`, { i, text: "ü😀" });
    await fixture.store.txn([], [{ key: "/3", value: undefined }]);
    const before = await contents(fixture.store);
    const store = await fixture.reopen();
    assert.deepEqual(await contents(store), before);
    assert.equal(await put(store, "/new", 1), before.revision + 1);
  });

  it("opening again leaves out what was superseded long before, and what was deleted and made again since", async (t) => {
    const fixture = await fresh(t);
    // Rows of several pages: what a key had is met long after what it has.
    for (let round = 0; round < 200; round++) {
      const keys = ["/kept", "/deleted", "/remade", `/once/${round}`, `/${round % 2}`];
      const isGone = (key: string): boolean =>
        (key === "/deleted" && round >= 20) || (key === "/remade" && round > 20 && round < 180);
      const write = keys.map((key) => ({ key, value: isGone(key) ? undefined : { round } }));
      await fixture.store.txn([], write);
    }
    const before = await contents(fixture.store);
    assert.equal(before.records.length, 204);
    assert.deepEqual(await contents(await fixture.reopen()), before);
  });
}

/** Writes one record and returns the revision. */
async function put(store: Store, key: string, value: unknown): Promise<number> {
  const result = await store.txn([], [{ key, value }]);
  assert.ok(result.ok);
  return result.revision;
}

async function keysBelow(store: Store, prefix: string): Promise<readonly string[]> {
  return (await store.list(prefix)).records.map(({ key }) => key);
}

/** The batches that bring `count` changes after `from`, or fewer if the watch ends before. */
async function collect(
  store: Store,
  prefix: string,
  from: number,
  count: number,
  signal: AbortSignal,
): Promise<(readonly Change[])[]> {
  const batches: (readonly Change[])[] = [];
  if (count === 0) return batches;
  let seen = 0;
  for await (const batch of store.watch(prefix, from, signal)) {
    batches.push(batch);
    seen += batch.length;
    if (seen >= count) break;
  }
  return batches;
}

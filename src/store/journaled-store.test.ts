import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { UnavailableError } from "../lib/errors.ts";
import type { Journal, JournalRow } from "./journal.ts";
import { JournaledStore } from "./journaled-store.ts";
import type { Store, TxnResult } from "./store.ts";

/** A journal whose commits end when the test says so. */
class ManualJournal implements Journal {
  readonly appends: { readonly keys: string[]; readonly settled: PromiseWithResolvers<void> }[] =
    [];

  append(rows: readonly JournalRow[]): Promise<void> {
    const settled = Promise.withResolvers<void>();
    this.appends.push({ keys: rows.map(({ key }) => key), settled });
    return settled.promise;
  }

  async close(): Promise<void> {}

  /** Ends the commit under way and lets the consequences happen. */
  async end(error?: Error): Promise<void> {
    const { settled } = this.appends.at(-1) ?? {};
    if (error === undefined) settled?.resolve();
    else settled?.reject(error);
    await turn();
  }
}

function open(): { journal: ManualJournal; store: Store } {
  const journal = new ManualJournal();
  const gather = (): Promise<void> => Promise.resolve();
  const store = new JournaledStore({ journal, revision: 0, gather });
  return { journal, store };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function put(store: Store, key: string, value: unknown): Promise<TxnResult> {
  return store.txn([], [{ key, value }]);
}

describe("JournaledStore", () => {
  it("what is decided while a commit is under way shares the next one", async () => {
    const { journal, store } = open();
    void put(store, "/a", 1);
    void put(store, "/b", 1);
    await turn();
    const late = ["/c", "/d", "/e"].map((key) => put(store, key, 1));
    await journal.end();
    assert.deepEqual(
      journal.appends.map(({ keys }) => keys),
      [
        ["/a", "/b"],
        ["/c", "/d", "/e"],
      ],
    );
    await journal.end();
    assert.deepEqual((await Promise.all(late)).at(-1), { ok: true, revision: 5 });
  });

  it("readers and watchers see nothing before it is durable", async (t) => {
    const { journal, store } = open();
    const seen: unknown[] = [];
    const watching = (async () => {
      for await (const batch of store.watch("/", 0, t.signal)) seen.push(...batch);
    })();
    const write = put(store, "/a", 1);
    await turn();
    assert.deepEqual(await store.list("/"), { revision: 0, records: [] });
    assert.deepEqual(seen, []);
    await journal.end();
    await write;
    assert.equal(seen.length, 1);
    await store.close();
    await assert.rejects(watching, UnavailableError);
  });

  it("a failed commit takes with it what was decided on top, and leaves no trace", async () => {
    const { journal, store } = open();
    const first = put(store, "/kept", 1);
    await turn();
    await journal.end();
    await first;

    const create = put(store, "/a", 1);
    await turn();
    const update = store.txn([{ key: "/a", revision: 2 }], [{ key: "/a", value: 2 }]);
    const compared = store.txn([{ key: "/a", revision: 3 }], []);
    const refused = [create, update, compared].map((one) => assert.rejects(one, UnavailableError));
    await journal.end(new Error("disk full"));
    await Promise.all(refused);

    const again = store.txn([{ key: "/a", revision: 0 }], [{ key: "/a", value: 3 }]);
    await turn();
    await journal.end();
    assert.deepEqual(await again, { ok: true, revision: 2 });
  });

  it("a refusal waits for the writes that it rests on", async () => {
    const { journal, store } = open();
    void put(store, "/a", 1);
    let answer: unknown;
    void store.txn([{ key: "/a", revision: 0 }], []).then((result) => {
      answer = result;
    });
    await turn();
    assert.equal(answer, undefined);
    await journal.end();
    assert.deepEqual(answer, { ok: false, revision: 1 });
  });

  it("decides against the last of several pending writes of a record", async () => {
    const { journal, store } = open();
    void put(store, "/a", 1);
    await turn();
    void put(store, "/a", undefined);
    await journal.end();
    void put(store, "/a", 3);
    void put(store, "/a", undefined);
    await journal.end();
    const create = store.txn([{ key: "/a", revision: 0 }], [{ key: "/a", value: 5 }]);
    await journal.end();
    await journal.end();
    assert.deepEqual(await create, { ok: true, revision: 5 });
  });
});

import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import type { Backend, StoreFixture } from "./contract.ts";
import type { Change, Revision, Store, StoreRecord, Write } from "./store.ts";

/** What a store should hold, and everything that ever happened to it. */
interface Model {
  readonly records: Map<string, PlainRecord>;
  readonly changes: PlainRecord[];
  revision: number;
}

/** A record or a change as it can be compared. */
export interface PlainRecord {
  readonly key: string;
  readonly value: unknown;
  readonly revision: Revision;
}

/** A record without what belongs to its class. */
export function plain({ key, value, revision }: StoreRecord): PlainRecord {
  return { key, value, revision };
}

/** A change with the record's value in place of the record. */
export function plainChange({ key, revision, record }: Change): PlainRecord {
  assert.equal(record?.key ?? key, key);
  assert.equal(record?.revision ?? revision, revision);
  return { key, value: record?.value, revision };
}

/** What a store holds below a prefix. */
export async function contents(
  store: Store,
  prefix = "/",
): Promise<{ revision: Revision; records: readonly PlainRecord[] }> {
  const { revision, records } = await store.list(prefix);
  return { revision, records: records.map(plain) };
}

interface Real {
  store: Store;
  readonly fixture: StoreFixture;
}

type Command = fc.AsyncCommand<Model, Real>;

/** Random commands against a Map: each answer, each listing and each watch must agree with it. */
export function testStoreModel(backend: Backend): void {
  it("behaves like a map with a history under any sequence of commands", async (t) => {
    const fixture = await backend.open();
    t.after(() => fixture.dispose());
    const real: Real = { store: fixture.store, fixture };
    const property = fc.asyncProperty(commandsFor(backend), async (commands) => {
      const revision = await clear(real.store);
      const model: Model = { records: new Map(), changes: [], revision };
      await fc.asyncModelRun(() => ({ model, real }), commands);
    });
    await fc.assert(property, { numRuns: 50 });
  });
}

/** Transactions of one tick: they are decided in order, whatever they share a commit with. */
class Transactions implements Command {
  readonly transactions: readonly TransactionDraft[];

  constructor(transactions: readonly TransactionDraft[]) {
    this.transactions = transactions;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, { store }: Real): Promise<void> {
    const expected: unknown[] = [];
    const running = this.transactions.map(({ compare, write }) => {
      const comparisons = compare.map(({ key, stale }) => ({
        key,
        revision: (model.records.get(key)?.revision ?? 0) + stale,
      }));
      const holds = compare.every(({ stale }) => stale === 0);
      if (holds) applyToModel(model, write);
      expected.push({ ok: holds, revision: model.revision });
      return store.txn(comparisons, write);
    });
    assert.deepEqual(await Promise.all(running), expected);
  }

  toString(): string {
    return `txns(${JSON.stringify(this.transactions)})`;
  }
}

class List implements Command {
  readonly prefix: string;

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, { store }: Real): Promise<void> {
    const records = [...model.records.values()]
      .filter(({ key }) => key.startsWith(this.prefix))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
    assert.deepEqual(await contents(store, this.prefix), { revision: model.revision, records });
  }

  toString(): string {
    return `list(${this.prefix})`;
  }
}

class Watch implements Command {
  readonly prefix: string;
  readonly back: number;

  constructor(prefix: string, back: number) {
    this.prefix = prefix;
    this.back = back;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, { store }: Real): Promise<void> {
    const from = Math.max(model.revision - this.back, historyStart(model));
    const expected = model.changes.filter(
      ({ key, revision }) => revision > from && key.startsWith(this.prefix),
    );
    const seen: PlainRecord[] = [];
    const abort = new AbortController();
    if (expected.length === 0) return;
    for await (const batch of store.watch(this.prefix, from, abort.signal)) {
      seen.push(...batch.map(plainChange));
      if (seen.length >= expected.length) abort.abort();
    }
    assert.deepEqual(seen, expected);
  }

  toString(): string {
    return `watch(${this.prefix}, -${this.back})`;
  }
}

class Reopen implements Command {
  check(): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    real.store = await real.fixture.reopen();
    // A backend may forget its history with the process: watchers then list again.
    model.changes.length = 0;
    await new List("/").run(model, real);
  }

  toString(): string {
    return "reopen";
  }
}

interface TransactionDraft {
  /** `stale` other than 0 makes the comparison fail. */
  readonly compare: readonly { readonly key: string; readonly stale: number }[];
  readonly write: readonly Write[];
}

/** Few keys, so that commands meet; one a prefix of others. */
const key = fc.constantFrom("/a", "/a/1", "/a/2", "/b/1", "/b/1/c", "/z");
const prefix = fc.constantFrom("/", "/a", "/a/", "/b/", "/none/");
const value = fc.option(
  fc.jsonValue({ maxDepth: 2 }).map((one): unknown => JSON.parse(JSON.stringify(one))),
  { nil: undefined, freq: 3 },
);
const transaction: fc.Arbitrary<TransactionDraft> = fc.record({
  compare: fc.array(fc.record({ key, stale: fc.constantFrom(0, 0, 0, 1) }), { maxLength: 3 }),
  write: fc.uniqueArray(fc.record({ key, value }, { requiredKeys: ["key", "value"] }), {
    maxLength: 4,
    selector: (one) => one.key,
  }),
});

function commandsFor({ durable }: Backend): fc.Arbitrary<Iterable<Command>> {
  const transactions = fc
    .array(transaction, { minLength: 1, maxLength: 5 })
    .map((drafts): Command => new Transactions(drafts));
  const list = prefix.map((one): Command => new List(one));
  const watch = fc.tuple(prefix, fc.nat(10)).map(([one, back]): Command => new Watch(one, back));
  const reopen = fc.constant<Command>(new Reopen());
  const command = fc.oneof(
    { arbitrary: transactions, weight: 30 },
    { arbitrary: list, weight: 10 },
    { arbitrary: watch, weight: 10 },
    // Rare: starting a backend takes a tenth of a second.
    { arbitrary: reopen, weight: durable ? 1 : 0 },
  );
  return fc.commands([command], { maxCommands: 40 });
}

/** One store serves all runs, since opening is slow: each begins with no records, at some revision. */
async function clear(store: Store): Promise<number> {
  const { records } = await store.list("/");
  await store.txn(
    [],
    records.map((record) => ({ key: record.key, value: undefined })),
  );
  return (await store.list("/")).revision;
}

function applyToModel(model: Model, write: readonly Write[]): void {
  const effective = write.filter((one) => one.value !== undefined || model.records.has(one.key));
  if (effective.length === 0) return;
  const revision = ++model.revision;
  for (const one of effective) {
    const change = { key: one.key, value: one.value, revision };
    if (one.value === undefined) model.records.delete(one.key);
    else model.records.set(one.key, change);
    model.changes.push(change);
  }
}

/** The revision before the oldest change that the model remembers. */
function historyStart(model: Model): number {
  return (model.changes[0]?.revision ?? model.revision + 1) - 1;
}

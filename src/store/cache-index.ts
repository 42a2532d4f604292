import { assert } from "../lib/errors.ts";
import { OrderedMap } from "./ordered-map.ts";
import type { StoreRecord } from "./store.ts";

/** What indexes want to know of the records of one kind; see {@link indexesOf}. */
export interface KindIndexes {
  /** The top-level members that the functions read. */
  readonly reads: readonly string[];
  readonly skim?: Skim;
  /** For each index, the values that a document stands under: none, one or several. Pure. */
  readonly values: Readonly<Record<string, (document: never) => readonly string[]>>;
  /** The same for indexes that only count: they hold no records. */
  readonly counts?: Readonly<Record<string, (document: never) => readonly string[]>>;
}

/**
 * Indexes by kind of record: `<service>/<kind>`, as keys say it (`/<account>/<region>/<service>/<kind>/…`). Names of
 * indexes are unique over all kinds.
 */
export type IndexDefinitions = Readonly<Record<string, KindIndexes>>;

/** Spares reading on in documents whose beginning settles where they stand in every index of their kind. */
export interface Skim {
  /** Members to read first: they should be the first of the document. */
  readonly reads: readonly string[];
  /** Whether the functions need no others. Pure. */
  readonly isEnough: (document: never) => boolean;
}

/**
 * Defines the indexes of documents of type `T`: `indexesOf<Task>()(["id"], { tasksById: ({ id }) => [id] })`. They see the
 * named members only, so that opening a large store does not have to parse all of it. `mayFind`: members that only some
 * documents have; they are seen where they stand before the last of those that are read.
 */
export function indexesOf<T>(): <M extends keyof T & string, N extends keyof T & string = never>(
  reads: readonly M[],
  values: Readonly<
    Record<string, (document: Pick<T, M> & Partial<Pick<T, N>>) => readonly string[]>
  >,
  more?: {
    readonly mayFind?: readonly N[];
    readonly skim?: {
      readonly reads: readonly M[];
      readonly isEnough: (document: Pick<T, M>) => boolean;
    };
    readonly counts?: Readonly<Record<string, (document: Pick<T, M>) => readonly string[]>>;
  },
) => KindIndexes {
  return (reads, values, { skim, counts } = {}) => ({
    reads,
    values,
    ...(skim && { skim }),
    ...(counts && { counts }),
  });
}

/** All indexes of a cache. */
export class CacheIndexes {
  readonly #kinds = new Map<string, Kind>();
  readonly #indexes = new Map<string, CacheIndex>();
  readonly #counts = new Map<string, CountIndex>();

  constructor(definitions: IndexDefinitions) {
    for (const [kind, { reads, skim, values, counts = {} }] of Object.entries(definitions)) {
      const indexes = [
        ...Object.entries(values).map(([name, valuesOf]) =>
          addNamed(this.#indexes, name, new CacheIndex(valuesOf)),
        ),
        ...Object.entries(counts).map(([name, valuesOf]) =>
          addNamed(this.#counts, name, new CountIndex(valuesOf)),
        ),
      ];
      this.#kinds.set(kind, { reads, skim, indexes });
    }
  }

  /** The records under `value` in the index of that name, in key order. */
  lookup(name: string, value: string): readonly StoreRecord[] {
    return this.#index(name).lookup(value);
  }

  /** The same from behind a key on. */
  lookupAfter(name: string, value: string, after: string): Iterable<StoreRecord> {
    return this.#index(name).lookupAfter(value, after);
  }

  /** How many records there are under `value` in the counting index of that name. */
  count(name: string, value: string): number {
    const index = this.#counts.get(name);
    assert(index !== undefined, `nothing is counted as ${name}`);
    return index.count(value);
  }

  /** The values of the index of that name that have records, in no order. */
  values(name: string): readonly string[] {
    return this.#index(name).values();
  }

  #index(name: string): CacheIndex {
    const index = this.#indexes.get(name);
    assert(index !== undefined, `no index is called ${name}`);
    return index;
  }

  /** Enters a record of a key that has none yet. */
  fill(record: StoreRecord): void {
    const kind = this.#kinds.get(kindOf(record.key));
    if (kind === undefined) return;
    const members = membersFor(kind, record);
    for (const index of kind.indexes) index.fill(record, members);
  }

  /** Moves the record of `key` from where it stood before to where it stands now. */
  replace(key: string, before: StoreRecord | undefined, after: StoreRecord | undefined): void {
    const kind = this.#kinds.get(kindOf(key));
    if (kind === undefined) return;
    const left = before && membersFor(kind, before);
    const entered = after && membersFor(kind, after);
    for (const index of kind.indexes) index.replace(key, left, after, entered);
  }
}

function addNamed<T>(all: Map<string, T>, name: string, index: T): T {
  assert(!all.has(name), `two indexes are called ${name}`);
  all.set(name, index);
  return index;
}

interface Kind {
  readonly reads: readonly string[];
  readonly skim: Skim | undefined;
  readonly indexes: readonly (CacheIndex | CountIndex)[];
}

/** What stands between the third slash and the fifth. */
function kindOf(key: string): string {
  const from = key.indexOf("/", key.indexOf("/", 1) + 1) + 1;
  const to = key.indexOf("/", key.indexOf("/", from) + 1);
  return key.slice(from, to < 0 ? key.length : to);
}

function membersFor({ reads, skim }: Kind, record: StoreRecord): Members {
  if (skim !== undefined) {
    const first = record.members(skim.reads);
    // As with the functions of an index: the definition's type says what the members are.
    if (skim.isEnough(first as never)) return first;
  }
  return record.members(reads);
}

type Members = ReturnType<StoreRecord["members"]>;
const NOWHERE: readonly string[] = [];

/**
 * For each value of one index the records that stand under it. What a bucket is filled with is a plain list until somebody
 * looks at it or changes it: of a large store's buckets nearly none is ever touched.
 */
class CacheIndex {
  readonly #valuesOf: (document: never) => readonly string[];
  readonly #buckets = new Map<string, StoreRecord[] | OrderedMap<StoreRecord>>();

  constructor(valuesOf: (document: never) => readonly string[]) {
    this.#valuesOf = valuesOf;
  }

  values(): readonly string[] {
    return [...this.#buckets.keys()];
  }

  lookup(value: string): readonly StoreRecord[] {
    return this.#buckets.has(value) ? this.#bucket(value).valuesBelow("") : [];
  }

  lookupAfter(value: string, after: string): Iterable<StoreRecord> {
    return this.#buckets.has(value) ? this.#bucket(value).valuesAfter("", after) : [];
  }

  fill(record: StoreRecord, members: Members): void {
    for (const value of this.#valuesIn(members)) {
      const bucket = this.#buckets.get(value);
      if (bucket === undefined) this.#buckets.set(value, [record]);
      else if (Array.isArray(bucket)) bucket.push(record);
      else bucket.set(record.key, record);
    }
  }

  replace(
    key: string,
    left: Members | undefined,
    after: StoreRecord | undefined,
    entered: Members | undefined,
  ): void {
    const entering = this.#valuesIn(entered);
    for (const value of this.#valuesIn(left)) {
      if (!entering.includes(value)) this.#remove(value, key);
    }
    for (const value of entering) {
      if (after !== undefined) this.#bucket(value).set(key, after);
    }
  }

  #valuesIn(members: Members | undefined): readonly string[] {
    // The definition's type says what the members are, as for every document that is read from the store.
    return members === undefined ? NOWHERE : this.#valuesOf(members as never);
  }

  #bucket(value: string): OrderedMap<StoreRecord> {
    const bucket = this.#buckets.get(value);
    if (bucket instanceof OrderedMap) return bucket;
    const ordered = new OrderedMap<StoreRecord>();
    for (const record of bucket ?? []) ordered.set(record.key, record);
    this.#buckets.set(value, ordered);
    return ordered;
  }

  #remove(value: string, key: string): void {
    if (!this.#buckets.has(value)) return;
    const bucket = this.#bucket(value);
    bucket.delete(key);
    if (bucket.size === 0) this.#buckets.delete(value);
  }
}

/** For each value of one index how many records stand under it. */
class CountIndex {
  readonly #valuesOf: (document: never) => readonly string[];
  readonly #counts = new Map<string, number>();

  constructor(valuesOf: (document: never) => readonly string[]) {
    this.#valuesOf = valuesOf;
  }

  count(value: string): number {
    return this.#counts.get(value) ?? 0;
  }

  fill(_record: StoreRecord, members: Members): void {
    this.#add(members, 1);
  }

  replace(
    _key: string,
    left: Members | undefined,
    _after: StoreRecord | undefined,
    entered: Members | undefined,
  ): void {
    if (left !== undefined) this.#add(left, -1);
    if (entered !== undefined) this.#add(entered, 1);
  }

  #add(members: Members, change: 1 | -1): void {
    for (const value of this.#valuesOf(members as never)) {
      const count = this.count(value) + change;
      if (count === 0) this.#counts.delete(value);
      else this.#counts.set(value, count);
    }
  }
}

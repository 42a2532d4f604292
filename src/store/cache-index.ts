import { OrderedMap } from "./ordered-map.ts";
import type { StoreRecord } from "./store.ts";

/** The index values of a record. Pure. */
export type IndexFunction = (key: string, value: unknown) => readonly string[];

/** One index of the cache: for each value, the records that stand under it, in key order. */
export class CacheIndex {
  readonly #valuesOf: IndexFunction;
  readonly #buckets = new Map<string, OrderedMap<StoreRecord>>();

  constructor(valuesOf: IndexFunction) {
    this.#valuesOf = valuesOf;
  }

  lookup(value: string): readonly StoreRecord[] {
    return this.#buckets.get(value)?.valuesBelow("") ?? [];
  }

  /** Moves a record from where it stood before to where it stands now. */
  replace(before: StoreRecord | undefined, after: StoreRecord | undefined): void {
    const left = before === undefined ? [] : this.#valuesOf(before.key, before.value);
    const entered = after === undefined ? [] : this.#valuesOf(after.key, after.value);
    for (const value of left) {
      if (before !== undefined && !entered.includes(value)) this.#remove(value, before.key);
    }
    for (const value of entered) {
      if (after !== undefined) this.#bucket(value).set(after.key, after);
    }
  }

  #bucket(value: string): OrderedMap<StoreRecord> {
    let bucket = this.#buckets.get(value);
    if (bucket === undefined) {
      bucket = new OrderedMap();
      this.#buckets.set(value, bucket);
    }
    return bucket;
  }

  #remove(value: string, key: string): void {
    const bucket = this.#buckets.get(value);
    bucket?.delete(key);
    if (bucket?.size === 0) this.#buckets.delete(value);
  }
}

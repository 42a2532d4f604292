/**
 * A map from strings to values that also keeps the keys in order, so that everything below a prefix can be listed.
 *
 * The order lives in a list of sorted chunks: finding a place costs two binary searches, inserting moves at most
 * one chunk's entries. A single sorted array would move half a million entries per insert at a million keys.
 * Chunks are split when full and dropped when empty; never merged, since later inserts refill them.
 * Order is by UTF-16 code unit, which for the ASCII keys of a store is byte order.
 */
export class OrderedMap<V> {
  readonly #entries = new Map<string, Entry<V>>();
  /** None is empty; every key of a chunk is below every key of the next. */
  readonly #chunks: Entry<V>[][] = [];

  /** With these entries, whose keys differ; where they come in order, a fraction of the cost of setting one after the other. */
  constructor(entries: readonly Entry<V>[] = []) {
    const sorted = entries.toSorted((a, b) => (a.key < b.key ? -1 : 1));
    for (let at = 0; at < sorted.length; at += CHUNK_ENTRIES_FILLED) {
      this.#chunks.push(sorted.slice(at, at + CHUNK_ENTRIES_FILLED));
    }
    for (const entry of sorted) this.#entries.set(entry.key, entry);
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)?.value;
  }

  set(key: string, value: V): void {
    const existing = this.#entries.get(key);
    if (existing !== undefined) {
      existing.value = value;
      return;
    }
    const entry = { key, value };
    this.#entries.set(key, entry);
    this.#insert(entry);
  }

  /** Whether there was such a key. */
  delete(key: string): boolean {
    if (!this.#entries.delete(key)) return false;
    const at = this.#chunkFor(key);
    const chunk = this.#chunks[at];
    if (chunk === undefined) return false;
    chunk.splice(lowerBound(chunk, key), 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
    return true;
  }

  /** The values of all keys that start with `prefix`, in key order. */
  valuesBelow(prefix: string): V[] {
    const values: V[] = [];
    let at = this.#chunkFor(prefix);
    let chunk = this.#chunks[at];
    let from = chunk === undefined ? 0 : lowerBound(chunk, prefix);
    while (chunk !== undefined) {
      for (let i = from; i < chunk.length; i++) {
        const entry = chunk[i];
        if (entry === undefined || !entry.key.startsWith(prefix)) return values;
        values.push(entry.value);
      }
      chunk = this.#chunks[++at];
      from = 0;
    }
    return values;
  }

  #insert(entry: Entry<V>): void {
    const at = this.#chunkFor(entry.key);
    const chunk = this.#chunks[at];
    if (chunk === undefined) {
      this.#chunks.push([entry]);
      return;
    }
    chunk.splice(lowerBound(chunk, entry.key), 0, entry);
    if (chunk.length <= CHUNK_ENTRIES_MAX) return;
    // Keys often come in ascending order: leaving the left part fuller than the right keeps such chunks well filled.
    this.#chunks.splice(at + 1, 0, chunk.splice(CHUNK_ENTRIES_FILLED));
  }

  /** The last chunk that begins at or before `key`, else the first. */
  #chunkFor(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const first = this.#chunks[middle]?.[0];
      if (first !== undefined && first.key <= key) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

interface Entry<V> {
  readonly key: string;
  value: V;
}

/** Chosen by measurement: from 128 to 1,024 inserts cost the same, below 128 the list of chunks grows long. */
const CHUNK_ENTRIES_MAX = 256;
/** Leaves room for some inserts. */
const CHUNK_ENTRIES_FILLED = 192;

/** The index of the first entry whose key is not below `key`. */
function lowerBound<V>(chunk: readonly Entry<V>[], key: string): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = chunk[middle];
    if (entry !== undefined && entry.key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

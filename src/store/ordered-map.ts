/**
 * A map from strings to values that also keeps the keys in order, so that everything below a prefix can be listed. The order is
 * made when it is first asked for: filling a large map before that costs no more than filling a `Map`.
 *
 * The order lives in a list of sorted chunks: finding a place costs two binary searches, inserting moves at most
 * one chunk's entries. A single sorted array would move half a million entries per insert at a million keys.
 * Chunks are split when full and dropped when empty; never merged, since later inserts refill them.
 * Order is by UTF-16 code unit, which for the ASCII keys of a store is byte order.
 */
export class OrderedMap<V> {
  readonly #entries = new Map<string, Entry<V>>();
  /** None is empty; every key of a chunk is below every key of the next. Undefined until somebody lists. */
  #chunks: Entry<V>[][] | undefined;

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
    if (this.#chunks !== undefined) insert(this.#chunks, entry);
  }

  /** Whether there was such a key. */
  delete(key: string): boolean {
    if (!this.#entries.delete(key)) return false;
    if (this.#chunks !== undefined) remove(this.#chunks, key);
    return true;
  }

  /** The values of all keys that start with `prefix`, in key order. */
  valuesBelow(prefix: string): V[] {
    this.#chunks ??= inChunks([...this.#entries.values()]);
    const chunks = this.#chunks;
    const values: V[] = [];
    let at = chunkFor(chunks, prefix);
    let chunk = chunks[at];
    let from = chunk === undefined ? 0 : lowerBound(chunk, prefix);
    while (chunk !== undefined) {
      for (let i = from; i < chunk.length; i++) {
        const entry = chunk[i];
        if (entry === undefined || !entry.key.startsWith(prefix)) return values;
        values.push(entry.value);
      }
      chunk = chunks[++at];
      from = 0;
    }
    return values;
  }
}

function inChunks<V>(entries: Entry<V>[]): Entry<V>[][] {
  const sorted = entries.sort((a, b) => (a.key < b.key ? -1 : 1));
  const chunks: Entry<V>[][] = [];
  for (let at = 0; at < sorted.length; at += CHUNK_ENTRIES_FILLED) {
    chunks.push(sorted.slice(at, at + CHUNK_ENTRIES_FILLED));
  }
  return chunks;
}

function insert<V>(chunks: Entry<V>[][], entry: Entry<V>): void {
  const at = chunkFor(chunks, entry.key);
  const chunk = chunks[at];
  if (chunk === undefined) {
    chunks.push([entry]);
    return;
  }
  chunk.splice(lowerBound(chunk, entry.key), 0, entry);
  if (chunk.length <= CHUNK_ENTRIES_MAX) return;
  // Keys often come in ascending order: leaving the left part fuller than the right keeps such chunks well filled.
  chunks.splice(at + 1, 0, chunk.splice(CHUNK_ENTRIES_FILLED));
}

function remove<V>(chunks: Entry<V>[][], key: string): void {
  const at = chunkFor(chunks, key);
  const chunk = chunks[at];
  if (chunk === undefined) return;
  chunk.splice(lowerBound(chunk, key), 1);
  if (chunk.length === 0) chunks.splice(at, 1);
}

/** The last chunk that begins at or before `key`, else the first. */
function chunkFor<V>(chunks: readonly (readonly Entry<V>[])[], key: string): number {
  let low = 0;
  let high = chunks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const first = chunks[middle]?.[0];
    if (first !== undefined && first.key <= key) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
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

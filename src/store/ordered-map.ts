/**
 * A map from strings to values that also keeps the keys in order, so that everything below a prefix can be listed. The order is
 * made when it is first asked for: filling a large map before that costs no more than filling a `Map`.
 *
 * The order lives in a list of sorted chunks: finding a place costs two binary searches, inserting moves at most
 * one chunk's keys. A single sorted array would move half a million entries per insert at a million keys.
 * Chunks are split when full and dropped when empty; never merged, since later inserts refill them.
 * Order is by UTF-16 code unit, which for the ASCII keys of a store is byte order.
 */
export class OrderedMap<V> {
  readonly #values = new Map<string, V>();
  /** The keys. No chunk is empty; every key of a chunk is below every key of the next. Undefined until somebody lists. */
  #chunks: string[][] | undefined;

  get size(): number {
    return this.#values.size;
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: V): void {
    if (this.#chunks !== undefined && !this.#values.has(key)) insert(this.#chunks, key);
    this.#values.set(key, value);
  }

  /** Whether there was such a key. */
  delete(key: string): boolean {
    if (!this.#values.delete(key)) return false;
    if (this.#chunks !== undefined) remove(this.#chunks, key);
    return true;
  }

  /** The values of all keys that start with `prefix`, in key order. */
  valuesBelow(prefix: string): V[] {
    this.#chunks ??= inChunks([...this.#values.keys()]);
    const chunks = this.#chunks;
    const values: V[] = [];
    let at = chunkFor(chunks, prefix);
    let chunk = chunks[at];
    let from = chunk === undefined ? 0 : lowerBound(chunk, prefix);
    while (chunk !== undefined) {
      for (let i = from; i < chunk.length; i++) {
        const key = chunk[i];
        if (key === undefined || !key.startsWith(prefix)) return values;
        // Every key of the order has its value.
        values.push(this.#values.get(key) as V);
      }
      chunk = chunks[++at];
      from = 0;
    }
    return values;
  }

  /**
   * The values of the keys that start with `prefix` and come after `after`, in key order, each looked up when it is asked for:
   * whoever reads some has to be done before the map changes.
   */
  *valuesAfter(prefix: string, after: string): Generator<V, void, undefined> {
    this.#chunks ??= inChunks([...this.#values.keys()]);
    const chunks = this.#chunks;
    const least = after < prefix ? prefix : after;
    for (let at = chunkFor(chunks, least); at < chunks.length; at++) {
      const chunk = chunks[at] ?? [];
      for (let i = lowerBound(chunk, least); i < chunk.length; i++) {
        const key = chunk[i];
        if (key === undefined || !key.startsWith(prefix)) return;
        if (key !== after) yield this.#values.get(key) as V;
      }
    }
  }
}

function inChunks(keys: string[]): string[][] {
  const sorted = keys.sort((a, b) => (a < b ? -1 : 1));
  const chunks: string[][] = [];
  for (let at = 0; at < sorted.length; at += CHUNK_KEYS_FILLED) {
    chunks.push(sorted.slice(at, at + CHUNK_KEYS_FILLED));
  }
  return chunks;
}

function insert(chunks: string[][], key: string): void {
  const at = chunkFor(chunks, key);
  const chunk = chunks[at];
  if (chunk === undefined) {
    chunks.push([key]);
    return;
  }
  chunk.splice(lowerBound(chunk, key), 0, key);
  if (chunk.length <= CHUNK_KEYS_MAX) return;
  // Keys often come in ascending order: leaving the left part fuller than the right keeps such chunks well filled.
  chunks.splice(at + 1, 0, chunk.splice(CHUNK_KEYS_FILLED));
}

function remove(chunks: string[][], key: string): void {
  const at = chunkFor(chunks, key);
  const chunk = chunks[at];
  if (chunk === undefined) return;
  chunk.splice(lowerBound(chunk, key), 1);
  if (chunk.length === 0) chunks.splice(at, 1);
}

/** The last chunk that begins at or before `key`, else the first. */
function chunkFor(chunks: readonly (readonly string[])[], key: string): number {
  let low = 0;
  let high = chunks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const first = chunks[middle]?.[0];
    if (first !== undefined && first <= key) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

/** Chosen by measurement: from 128 to 1,024 inserts cost the same, below 128 the list of chunks grows long. */
const CHUNK_KEYS_MAX = 256;
/** Leaves room for some inserts. */
const CHUNK_KEYS_FILLED = 192;

/** The index of the first key that is not below `key`. */
function lowerBound(chunk: readonly string[], key: string): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = chunk[middle];
    if (other !== undefined && other < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

import type { Cache } from "./cache.ts";
import type { Compare, Store, Write } from "./store.ts";

/**
 * One transaction, after which this process reads its own writes. False, without effect, if a comparison failed:
 * look again at the cache and decide anew. Throws UnavailableError when nothing could be written.
 */
export async function commit(
  { store, cache }: { readonly store: Store; readonly cache: Cache },
  compare: readonly Compare[],
  write: readonly Write[],
): Promise<boolean> {
  const result = await store.txn(compare, write);
  if (result.ok) await cache.reached(result.revision);
  return result.ok;
}

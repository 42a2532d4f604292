import { UnavailableError } from "../lib/errors.ts";
import type { Cache } from "./cache.ts";
import type { Compare, Store, Write } from "./store.ts";

export interface CommitDeps {
  readonly store: Store;
  readonly cache: Cache;
}

/**
 * One transaction, then a cache that includes its outcome: after true it shows our writes, after false, when nothing was
 * written, what beat us, so that looking again at once is worth it. Throws UnavailableError when nothing could be written.
 */
export async function commit(
  { store, cache }: CommitDeps,
  compare: readonly Compare[],
  write: readonly Write[],
): Promise<boolean> {
  const { ok, revision } = await store.txn(compare, write);
  await cache.reached(revision);
  return ok;
}

/** Lost races in a row on one record before we call the store unusable: far more than fair competition needs. */
const ATTEMPTS_MAX = 20;

/**
 * Changes one record by compare-and-set, however often others get in between. `change` is pure and may be called again;
 * when it returns what it was given nothing is written. Returns the value as it then stands, undefined when there is no
 * such record. Throws UnavailableError after {@link ATTEMPTS_MAX} lost races.
 */
export async function updateRecord<T>(
  deps: CommitDeps,
  key: string,
  change: (value: T) => T,
): Promise<T | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const record = deps.cache.get(key);
    if (!record) return undefined;
    const before = record.value as T;
    const after = change(before);
    if (after === before) return before;
    const { revision } = record;
    if (await commit(deps, [{ key, revision }], [{ key, value: after }])) return after;
  }
  throw new UnavailableError(`${key} keeps changing`);
}

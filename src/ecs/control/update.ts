import { UnavailableError } from "../../lib/errors.ts";
import type { Cache } from "../../store/cache.ts";
import { commit as commitOnce } from "../../store/commit.ts";
import type { Compare, Store, Write } from "../../store/store.ts";

export interface UpdateDeps {
  readonly store: Store;
  readonly cache: Cache;
}

/** Lost races in a row on one record before we call the store unusable: far more than fair competition needs. */
const ATTEMPTS_MAX = 20;

/**
 * One transaction, then a cache that includes its outcome: after true it shows our writes, after false what beat us,
 * so that looking again at once is worth it even where the cache lags behind the store.
 */
export async function commit(
  deps: UpdateDeps,
  compare: readonly Compare[],
  write: readonly Write[],
): Promise<boolean> {
  if (await commitOnce(deps, compare, write)) return true;
  const { revision } = await deps.store.list(compare[0]?.key ?? "/");
  await deps.cache.reached(revision);
  return false;
}

/**
 * Changes one record by compare-and-set, however often others get in between. `change` is pure and may be called again;
 * when it returns what it was given nothing is written. Returns the value as it then stands, undefined when there is no
 * such record. Throws UnavailableError after {@link ATTEMPTS_MAX} lost races.
 */
export async function updateRecord<T>(
  deps: UpdateDeps,
  key: string,
  change: (value: T) => T,
): Promise<T | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const record = deps.cache.get(key);
    if (!record) return undefined;
    const before = record.value as T;
    const after = change(before);
    if (after === before) return before;
    const isWritten = await commit(
      deps,
      [{ key, revision: record.revision }],
      [{ key, value: after }],
    );
    if (isWritten) return after;
  }
  throw new UnavailableError(`${key} keeps changing`);
}

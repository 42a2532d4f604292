import { ApiError } from "../../lib/errors.ts";
import { commit } from "../../store/commit.ts";
import type { Compare, StoreRecord, Write } from "../../store/store.ts";
import type { IamDeps } from "../deps.ts";
import { ATTEMPTS_MAX, RECORD_LENGTH_MAX } from "../limits.ts";
import { limitExceeded } from "./errors.ts";

/** A record with what is in it. */
export interface Found<T> {
  readonly record: StoreRecord;
  readonly value: T;
}

/** What is to be written if the records it was decided on still stand, and the answer then. */
export interface Decision<T> {
  readonly compare: readonly Compare[];
  readonly write: readonly Write[];
  readonly result: T;
}

/**
 * Commits what `decide` makes of the present state, and returns its result when the cache shows it. Decides anew when
 * another transaction came between: then `decide` sees what that one left, and may throw.
 */
export async function transact<T>(deps: IamDeps, decide: () => Decision<T>): Promise<T> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const { compare, write, result } = decide();
    if (write.length === 0) return result;
    checkLengths(write);
    if (await commit(deps, compare, write)) return result;
  }
  throw new ApiError(
    "ConcurrentModificationException",
    "Multiple requests to change this object were submitted simultaneously. Wait a few minutes and submit your request again.",
  );
}

/** Changes one record: `change` is pure, may be called again, and may throw. Returns what now stands. */
export function update<T>(
  deps: IamDeps,
  find: () => Found<T>,
  change: (value: T) => T,
): Promise<T> {
  return transact(deps, () => {
    const { record, value } = find();
    const after = change(value);
    const write = after === value ? [] : [{ key: record.key, value: after }];
    return { compare: [record], write, result: after };
  });
}

/** Makes one record where there is none; `exists` is thrown where there is. */
export function create<T>(
  deps: IamDeps,
  key: string,
  exists: () => ApiError,
  build: () => { readonly value: T; readonly also?: readonly StoreRecord[] },
): Promise<T> {
  return transact(deps, () => {
    if (deps.cache.get(key) !== undefined) throw exists();
    const { value, also = [] } = build();
    return {
      compare: [{ key, revision: 0 }, ...also],
      write: [{ key, value }, ...also.map(unchanged)],
      result: value,
    };
  });
}

/** Writes a record as it is: whoever was about to delete it has to look again, and sees who refers to it now. */
export function unchanged({ key, value }: StoreRecord): Write {
  return { key, value };
}

function checkLengths(write: readonly Write[]): void {
  for (const { value } of write) {
    if (value !== undefined && JSON.stringify(value).length > RECORD_LENGTH_MAX) {
      throw limitExceeded(
        `The policy documents of one entity cannot exceed ${RECORD_LENGTH_MAX} characters, white space included.`,
      );
    }
  }
}

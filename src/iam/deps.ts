import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { Cache } from "../store/cache.ts";
import type { Store } from "../store/store.ts";

/** What IAM's operations work with. */
export interface IamDeps {
  readonly store: Store;
  /** With the indexes of `indexes.ts`. */
  readonly cache: Cache;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

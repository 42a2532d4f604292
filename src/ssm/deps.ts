import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { Sealer } from "../lib/sealer.ts";
import type { Cache } from "../store/cache.ts";
import type { Store } from "../store/store.ts";

/** What Parameter Store works with. */
export interface SsmDeps {
  readonly store: Store;
  readonly cache: Cache;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

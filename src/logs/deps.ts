import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { Cache } from "../store/cache.ts";
import type { Store } from "../store/store.ts";
import type { LogStore } from "../telemetry/log-store.ts";

/** What the operations and the reaper of CloudWatch Logs work with. */
export interface LogsDeps {
  readonly store: Store;
  /** With the indexes of `indexes.ts`. */
  readonly cache: Cache;
  readonly logStore: LogStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

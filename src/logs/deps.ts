import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { Permits } from "../lib/turns.ts";
import type { Cache } from "../store/cache.ts";
import type { Store } from "../store/store.ts";
import type { LogStore } from "../telemetry/log-store.ts";
import type { GroupSizes } from "./group-sizes.ts";
import type { LiveTails } from "./live-tails.ts";

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

/** And what the operations share among them. */
export interface LogsServiceDeps extends LogsDeps {
  readonly sizes: GroupSizes;
  /** Who is told of events as they come in. */
  readonly tails: LiveTails;
  /** Scans of many streams hold megabytes and use a whole core. */
  readonly scans: Permits;
}

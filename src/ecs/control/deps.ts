import type { ServiceTrust } from "../../iam/model/trust.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Random } from "../../lib/random.ts";
import type { Cache } from "../../store/cache.ts";
import type { Store } from "../../store/store.ts";
import type { TelemetryBook } from "./telemetry-book.ts";

/** What the orchestrator's operations and loops work with. */
export interface EcsDeps {
  readonly store: Store;
  readonly cache: Cache;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Whether ECS may act in a role. */
  readonly serviceTrust: ServiceTrust;
  /** What agents have published of late. */
  readonly telemetry: TelemetryBook;
}

import type { Clock } from "../../lib/clock.ts";

/** ECS agent: `ECS_TASK_METADATA_RPS_LIMIT`. */
const REQUESTS_PER_SECOND = 40;
const BURST_MAX = 60;
/** Chosen: above the tasks and addresses that one machine has. The longest silent one goes first. */
const CALLERS_MAX = 10_000;

interface Bucket {
  tokens: number;
  filledAt: number;
}

/** Lets every caller make 40 requests per second, and 60 at once. */
export class RateLimits {
  readonly #clock: Clock;
  /** In the order of their last request. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True when the caller may have one more answer. */
  take(caller: string): boolean {
    const now = this.#clock.now();
    const bucket = this.#buckets.get(caller) ?? { tokens: BURST_MAX, filledAt: now };
    // A clock that was set back must not take anything away.
    const refill = (Math.max(0, now - bucket.filledAt) / 1000) * REQUESTS_PER_SECOND;
    const tokens = Math.min(BURST_MAX, bucket.tokens + refill);
    const isAllowed = tokens >= 1;
    this.#buckets.delete(caller);
    this.#buckets.set(caller, { tokens: isAllowed ? tokens - 1 : tokens, filledAt: now });
    if (this.#buckets.size > CALLERS_MAX) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    return isAllowed;
  }
}

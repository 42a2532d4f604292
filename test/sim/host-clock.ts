import type { Clock } from "../../src/lib/clock.ts";

/**
 * The clock of one simulated machine. Its timers follow the one virtual time that all share; what it shows may be ahead
 * of it, as a machine's clock is after somebody has set it forward.
 */
export class HostClock implements Clock {
  readonly #base: Clock;
  #aheadMs = 0;

  constructor(base: Clock) {
    this.#base = base;
  }

  get aheadMs(): number {
    return this.#aheadMs;
  }

  now(): number {
    return this.#base.now() + this.#aheadMs;
  }

  /** In whole milliseconds, as a machine's timers are. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#base.sleep(Math.ceil(ms), signal);
  }

  /** Sets the clock so far ahead of virtual time; never back. */
  setAhead(aheadMs: number): void {
    this.#aheadMs = Math.max(this.#aheadMs, aheadMs);
  }
}

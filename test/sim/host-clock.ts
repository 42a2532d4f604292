import { type Clock, sleepOn } from "../../src/lib/clock.ts";

/** Far more than all that honest work sets in one millisecond. */
const TIMERS_MAX = 20_000;

/**
 * The clock of one simulated machine. Its timers follow the one virtual time that all share; what it shows may be another,
 * as a machine's clock is after somebody has set it.
 */
export class HostClock implements Clock {
  readonly #base: Clock;
  readonly #onBusy: (error: Error) => void;
  #aheadMs = 0;
  /** Timers set since virtual time last moved. */
  #timerCount = 0;
  #countedAt = 0;

  /** `onBusy`: told when loops of this machine go round and round while no time passes. */
  constructor(base: Clock, onBusy: (error: Error) => void) {
    this.#base = base;
    this.#onBusy = onBusy;
  }

  get aheadMs(): number {
    return this.#aheadMs;
  }

  now(): number {
    return this.#base.now() + this.#aheadMs;
  }

  /** In whole milliseconds, as a machine's timers are. */
  after(ms: number, due: () => void): () => void {
    if (!this.#isBusy()) return this.#base.after(Math.ceil(ms), due);
    this.#onBusy(new Error(`${TIMERS_MAX} timers were set and no time has passed`));
    // Nobody goes on but to the end.
    return () => undefined;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  #isBusy(): boolean {
    const now = this.#base.now();
    this.#timerCount = now === this.#countedAt ? this.#timerCount + 1 : 1;
    this.#countedAt = now;
    return this.#timerCount > TIMERS_MAX;
  }

  /** Sets the clock so far ahead of virtual time; never back. */
  setAhead(aheadMs: number): void {
    this.#aheadMs = Math.max(this.#aheadMs, aheadMs);
  }

  setBack(ms: number): void {
    this.#aheadMs -= ms;
  }
}

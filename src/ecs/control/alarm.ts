import { type Clock, NOT_NEEDED } from "../../lib/clock.ts";

/** A sleep that can be cut short. A ring while nobody sleeps is kept: the next rest ends at once. */
export class Alarm {
  readonly #clock: Clock;
  #hasRung = false;
  #nap: AbortController | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    this.#hasRung = true;
    this.#nap?.abort(NOT_NEEDED);
  }

  /** Resolves after `ms` milliseconds, or at a ring since the last rest. */
  async rest(ms: number): Promise<void> {
    if (!this.#hasRung) {
      this.#nap = new AbortController();
      await this.#clock.sleep(ms, this.#nap.signal);
      this.#nap = undefined;
    }
    this.#hasRung = false;
  }
}

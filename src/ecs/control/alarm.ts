import type { Clock } from "../../lib/clock.ts";

/** A sleep that can be cut short. A ring while nobody sleeps is kept: the next rest ends at once. */
export class Alarm {
  readonly #clock: Clock;
  #hasRung = false;
  #wake: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    this.#hasRung = true;
    this.#wake?.();
  }

  /** Resolves after `ms` milliseconds, or at a ring since the last rest. */
  async rest(ms: number): Promise<void> {
    if (!this.#hasRung) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const callOff = this.#clock.after(ms, resolve);
      this.#wake = resolve;
      await promise;
      this.#wake = undefined;
      callOff();
    }
    this.#hasRung = false;
  }
}

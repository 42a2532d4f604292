import type { Clock } from "./clock.ts";
import type { Log, LogFields } from "./log.ts";

/** Warns of what can happen thousands of times a second, as each call when the disk is full: the first at once, then one in a while. */
export class SparseLog {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #pauseMs: number;
  #saidAt = Number.NEGATIVE_INFINITY;
  #left = 0;

  constructor(deps: { readonly log: Log; readonly clock: Clock }, pauseMs: number) {
    this.#log = deps.log;
    this.#clock = deps.clock;
    this.#pauseMs = pauseMs;
  }

  /** `leftOut` in the line counts the warnings since the last one. */
  warn(message: string, fields: LogFields): void {
    const now = this.#clock.now();
    // A clock set back ends the pause: silence would last as long as the step.
    if (now >= this.#saidAt && now < this.#saidAt + this.#pauseMs) {
      this.#left += 1;
      return;
    }
    this.#log.warn(message, { ...fields, leftOut: this.#left || undefined });
    this.#saidAt = now;
    this.#left = 0;
  }
}

/** Between two heartbeats of ours. The agent gives up a connection that is silent for 60–120 s. */
export const HEARTBEAT_MS = 25_000;
/** Four heartbeats without an answer: the other side is gone. AWS closes about there (protocol version 2). */
const SILENCE_MS_MAX = 100_000;

/**
 * When to send heartbeats on a connection, and when to give it up. Instants are epoch milliseconds; a clock that is set back
 * makes nobody wait for it.
 */
export class Heartbeat {
  #lastHeardAt: number;
  #nextAt: number;

  constructor(now: number) {
    this.#lastHeardAt = now;
    this.#nextAt = now + HEARTBEAT_MS;
  }

  /** The other side has answered one. */
  answered(now: number): void {
    this.#lastHeardAt = now;
  }

  isLost(now: number): boolean {
    this.#lastHeardAt = Math.min(this.#lastHeardAt, now);
    return now - this.#lastHeardAt >= SILENCE_MS_MAX;
  }

  /** True once for each heartbeat that is due. */
  takeDue(now: number): boolean {
    if (this.untilNextMs(now) > 0) return false;
    this.#nextAt = now + HEARTBEAT_MS;
    return true;
  }

  untilNextMs(now: number): number {
    this.#nextAt = Math.min(this.#nextAt, now + HEARTBEAT_MS);
    return Math.max(0, this.#nextAt - now);
  }
}

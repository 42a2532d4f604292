import type { Clock } from "./clock.ts";

/** A clock that only moves when told: for tests, where waiting would be slow and guessing flaky. */
export class VirtualClock implements Clock {
  #now: number;
  /** In the order in which they began, which decides between those that are due together. */
  readonly #sleepers = new Set<Sleeper>();

  constructor(now = 0) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  /** How many sleeps have not ended. */
  get sleeperCount(): number {
    return this.#sleepers.size;
  }

  /** When the earliest sleep ends (epoch milliseconds); undefined when nobody sleeps. */
  get nextDueAt(): number | undefined {
    return this.#earliest()?.dueAt;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const end = (): void => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener("abort", end);
        resolve();
      };
      const sleeper = { dueAt: this.#now + ms, end };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", end, { once: true });
    });
  }

  /** Moves time by `ms`, ending sleeps in the order in which they are due and letting each one's consequences happen. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settled();
    for (;;) {
      const next = this.#earliest();
      if (next === undefined || next.dueAt > until) break;
      this.#now = Math.max(this.#now, next.dueAt);
      next.end();
      await settled();
    }
    this.#now = until;
  }

  #earliest(): Sleeper | undefined {
    let earliest: Sleeper | undefined;
    for (const sleeper of this.#sleepers) {
      if (earliest === undefined || sleeper.dueAt < earliest.dueAt) earliest = sleeper;
    }
    return earliest;
  }
}

interface Sleeper {
  readonly dueAt: number;
  readonly end: () => void;
}

/** One turn of the event loop, which drains the microtask queue. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

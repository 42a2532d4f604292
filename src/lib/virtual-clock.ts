import type { Clock } from "./clock.ts";
import { Heap } from "./heap.ts";

/** A clock that only moves when told: for tests, where waiting would be slow and guessing flaky. */
export class VirtualClock implements Clock {
  #now: number;
  /** Those that were cut short stay until they come up. */
  readonly #sleepers = new Heap<Sleeper>(
    (a, b) => a.dueAt - b.dueAt || a.sequenceNumber - b.sequenceNumber,
  );
  #sleeperCount = 0;
  #lastSequenceNumber = 0;
  readonly #settled: () => Promise<void>;

  /** `settled` resolves when all that can happen without time has happened; by default after a turn of the event loop. */
  constructor(now = 0, settled: () => Promise<void> = nextTurn) {
    this.#now = now;
    this.#settled = settled;
  }

  now(): number {
    return this.#now;
  }

  /** How many sleeps have not ended. */
  get sleeperCount(): number {
    return this.#sleeperCount;
  }

  /** When the earliest sleep ends (epoch milliseconds); undefined when nobody sleeps. */
  get nextDueAt(): number | undefined {
    return this.#earliest()?.dueAt;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper: Sleeper = {
        dueAt: this.#now + ms,
        sequenceNumber: ++this.#lastSequenceNumber,
        hasEnded: false,
        end: () => {
          sleeper.hasEnded = true;
          this.#sleeperCount--;
          if (signal?.aborted === false) signal.removeEventListener("abort", sleeper.end);
          resolve();
        },
      };
      this.#sleepers.push(sleeper);
      this.#sleeperCount++;
      signal?.addEventListener("abort", sleeper.end, { once: true });
    });
  }

  /** Moves time by `ms`, ending sleeps in the order in which they are due and letting each one's consequences happen. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await this.#settled();
    for (;;) {
      const next = this.#earliest();
      if (next === undefined || next.dueAt > until) break;
      this.#now = Math.max(this.#now, next.dueAt);
      next.end();
      await this.#settled();
    }
    this.#now = until;
  }

  /** Of those that are due together, the one that began first. */
  #earliest(): Sleeper | undefined {
    let earliest = this.#sleepers.peek();
    while (earliest?.hasEnded) {
      this.#sleepers.pop();
      earliest = this.#sleepers.peek();
    }
    return earliest;
  }
}

interface Sleeper {
  readonly dueAt: number;
  readonly sequenceNumber: number;
  hasEnded: boolean;
  readonly end: () => void;
}

/** One turn of the event loop, which drains the microtask queue. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * Resolves when no promise has anything left to do: Node takes the next tick only then. A hundredth of the cost of a turn of
 * the event loop, for whoever waits for nothing that comes through it.
 */
export function microtasksDone(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

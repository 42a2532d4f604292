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

  constructor(now = 0) {
    this.#now = now;
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
    await nextTurn();
    while ((this.nextDueAt ?? Number.POSITIVE_INFINITY) <= until) {
      this.endNext();
      await nextTurn();
    }
    this.#now = until;
  }

  /** Moves time to when the earliest sleep ends, and ends it. False when nobody sleeps. */
  endNext(): boolean {
    const next = this.#earliest();
    if (next === undefined) return false;
    this.#now = Math.max(this.#now, next.dueAt);
    next.end();
    return true;
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

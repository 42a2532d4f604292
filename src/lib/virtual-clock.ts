import { type Clock, sleepOn } from "./clock.ts";
import { Heap } from "./heap.ts";

/** A clock that only moves when told: for tests, where waiting would be slow and guessing flaky. */
export class VirtualClock implements Clock {
  #now: number;
  /** Those that were called off stay until they come up. */
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

  after(ms: number, due: () => void): () => void {
    const sleeper: Sleeper = {
      dueAt: this.#now + ms,
      sequenceNumber: ++this.#lastSequenceNumber,
      due,
    };
    this.#sleepers.push(sleeper);
    this.#sleeperCount++;
    return () => {
      this.#end(sleeper);
    };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
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
    this.#end(next)?.();
    return true;
  }

  /** What is to be called now; undefined when it has been, or was called off. */
  #end(sleeper: Sleeper): Sleeper["due"] {
    const { due } = sleeper;
    if (due !== undefined) this.#sleeperCount--;
    sleeper.due = undefined;
    return due;
  }

  /** Of those that are due together, the one that began first. */
  #earliest(): Sleeper | undefined {
    let earliest = this.#sleepers.peek();
    while (earliest !== undefined && earliest.due === undefined) {
      this.#sleepers.pop();
      earliest = this.#sleepers.peek();
    }
    return earliest;
  }
}

interface Sleeper {
  readonly dueAt: number;
  readonly sequenceNumber: number;
  /** Undefined when it has ended. */
  due: (() => void) | undefined;
}

/** One turn of the event loop, which drains the microtask queue. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

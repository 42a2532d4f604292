import { type Backoff, backoffMs } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { Delays } from "./delays.ts";
import { assert } from "./errors.ts";
import {
  WORKQUEUE_BACKOFF_MS_MAX,
  WORKQUEUE_BACKOFF_MS_MIN,
  WORKQUEUE_KEYS_MAX,
} from "./limits.ts";
import type { Random } from "./random.ts";

const BACKOFF: Backoff = {
  firstMs: WORKQUEUE_BACKOFF_MS_MIN,
  factor: 2,
  maxMs: WORKQUEUE_BACKOFF_MS_MAX,
};

export interface WorkQueueOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Keys worked on at the same time. */
  readonly concurrency: number;
  /** Works on one key. Throw to be called again after a backoff; return a delay to be called again without an `add()`. */
  readonly work: (
    key: string,
    signal: AbortSignal,
  ) => Promise<{ againAfterMs: number } | undefined>;
  /** Told of each failure and when the next attempt comes. */
  readonly onFailure: (
    key: string,
    error: unknown,
    failureCount: number,
    retryInMs: number,
  ) => void;
}

/**
 * A queue of keys that need work, for loops that look at the present state rather than at events.
 *
 * - Stingy: a key that waits is not queued twice, and never worked on twice at once.
 * - Nothing is lost: a key added while it is worked on is worked on once more afterwards.
 * - Fair: keys are taken in the order in which they were added.
 * - A key whose work failed waits, twice as long after each failure in a row. An `add()` in between runs it at once:
 *   what changed may have been the cause.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  /** Waiting keys in order; taken from {@link #head} on. */
  #queue: string[] = [];
  #head = 0;
  /** The keys in {@link #queue}. */
  readonly #queued = new Set<string>();
  /** Keys being worked on; never in {@link #queue}. True: added again meanwhile. */
  readonly #working = new Map<string, boolean>();
  readonly #delays = new Delays();
  readonly #failureCounts = new Map<string, number>();
  /** When {@link #delays} were last looked at. */
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** Ends the wait of {@link run}. */
  #wake: () => void = () => undefined;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** Has `key` worked on as soon as there is a free hand. */
  add(key: string): void {
    this.#delays.delete(key);
    if (this.#working.has(key)) {
      this.#working.set(key, true);
      return;
    }
    if (this.#queued.has(key)) return;
    assert(this.#queued.size < WORKQUEUE_KEYS_MAX, `a work queue has ${this.#queued.size} keys`);
    this.#queued.add(key);
    this.#queue.push(key);
    this.#wake();
  }

  /**
   * Has `key` worked on in `ms` milliseconds, unless it is added before: work that sees the present state says itself,
   * each time, when it wants to look again. A time that is over by then counts as the next moment: work that says so each
   * time leaves room for all else.
   */
  addAfter(key: string, ms: number): void {
    if (this.#queued.has(key)) return;
    assert(this.#delays.size < WORKQUEUE_KEYS_MAX, `a work queue has ${this.#delays.size} delays`);
    this.#delays.add(key, this.#options.clock.now() + Math.max(ms, DELAY_MS_MIN));
    this.#wake();
  }

  /** Works until `signal` aborts, then waits for what is being worked on. Call it once. */
  async run(signal: AbortSignal): Promise<void> {
    const running = new Set<Promise<void>>();
    while (!signal.aborted) {
      this.#addDue();
      while (running.size < this.#options.concurrency) {
        const key = this.#take();
        if (key === undefined) break;
        const work = this.#workOn(key, signal).finally(() => {
          running.delete(work);
          this.#wake();
        });
        running.add(work);
      }
      await this.#somethingToDo(signal);
    }
    await Promise.all(running);
  }

  #take(): string | undefined {
    const key = this.#queue[this.#head];
    if (key === undefined) return undefined;
    this.#head += 1;
    // Dropping the taken part only when it is the larger one makes taking a constant cost.
    if (this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    this.#queued.delete(key);
    this.#working.set(key, false);
    return key;
  }

  async #workOn(key: string, signal: AbortSignal): Promise<void> {
    try {
      const again = await this.#options.work(key, signal);
      this.#failureCounts.delete(key);
      if (again !== undefined) this.addAfter(key, again.againAfterMs);
    } catch (error) {
      // What fails because it was told to stop is no failure.
      if (!signal.aborted) this.#retry(key, error);
    } finally {
      const addedAgain = this.#working.get(key) === true;
      this.#working.delete(key);
      if (addedAgain) this.add(key);
    }
  }

  #retry(key: string, error: unknown): void {
    const failureCount = (this.#failureCounts.get(key) ?? 0) + 1;
    this.#failureCounts.set(key, failureCount);
    const delayMs = backoffMs(BACKOFF, failureCount, this.#options.random);
    this.#options.onFailure(key, error, failureCount, delayMs);
    this.addAfter(key, delayMs);
  }

  /** A clock that was set back makes everything due: a look that comes early does no harm, one that comes hours late would. */
  #addDue(): void {
    const now = this.#options.clock.now();
    const until = this.#lookedAt - now > CLOCK_BACK_MS_MIN ? Number.POSITIVE_INFINITY : now;
    this.#lookedAt = now;
    let key = this.#delays.takeDue(until);
    while (key !== undefined) {
      this.add(key);
      key = this.#delays.takeDue(until);
    }
  }

  /** Resolves when a key was added, work ended, a delay is over, or `signal` aborts. */
  async #somethingToDo(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { clock } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    this.#wake = wake;
    signal.addEventListener("abort", wake, { once: true });
    const dueAt = this.#delays.nextDueAt;
    const ms = Math.min(Math.max(0, (dueAt ?? 0) - clock.now()), TIMER_MS_MAX);
    const callOff = dueAt === undefined ? undefined : clock.after(ms, wake);
    await promise;
    callOff?.();
    signal.removeEventListener("abort", wake);
  }
}

/** Chosen: by less a clock is corrected in passing, and nobody waits for long. */
const CLOCK_BACK_MS_MIN = 1_000;
/** The shortest wait for which a timer is set. */
const DELAY_MS_MIN = 1;
/** The longest delay that a timer of Node takes: 24.8 days. A longer one is reached in several sleeps. */
const TIMER_MS_MAX = 2 ** 31 - 1;

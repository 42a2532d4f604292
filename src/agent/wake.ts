import { type Clock, NOT_NEEDED } from "../lib/clock.ts";

/**
 * Lets waiters look again. Level-driven: look at the state, and only when there is nothing to do await `next()`, with
 * nothing awaited in between, so that no change is missed.
 */
export class Wake {
  #promise: Promise<void>;
  #resolve: () => void;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#promise = promise;
    this.#resolve = resolve;
  }

  /** Resolves at the next `notify()`. */
  next(): Promise<void> {
    return this.#promise;
  }

  /** Wakes everyone who waits now. */
  notify(): void {
    this.#resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#promise = promise;
    this.#resolve = resolve;
  }
}

/** Waits that look again at least this often, so that no timer is set further than the platform can. */
const WAIT_MS_MAX = 3_600_000;

/** Resolves when `change` does, when the clock reaches `untilAt` (epoch ms), or when `signal` aborts. May be early. */
export async function waitForChange(
  clock: Clock,
  change: Promise<unknown>,
  untilAt: number,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const forward = (): void => over.abort(NOT_NEEDED);
  if (signal.aborted) return;
  signal.addEventListener("abort", forward, { once: true });
  const waitMs = Math.max(0, Math.min(untilAt - clock.now(), WAIT_MS_MAX));
  try {
    await Promise.race([change, clock.sleep(waitMs, over.signal)]);
  } finally {
    signal.removeEventListener("abort", forward);
    forward();
  }
}

/** The result of `work`, or undefined as soon as `signal` aborts: the work is then left to itself. */
export async function unlessAborted<T>(
  work: Promise<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const give = (): void => resolve(undefined);
  if (signal.aborted) give();
  signal.addEventListener("abort", give, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", give);
  }
}

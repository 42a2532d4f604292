import type { Clock } from "../lib/clock.ts";

/** Something that happens once, if ever. */
export interface Change {
  readonly hasHappened: boolean;
  /** Calls `listener` when it happens. Not a promise: what waits at a promise stays there until it resolves. */
  subscribe(listener: () => void): void;
  unsubscribe(listener: () => void): void;
}

/**
 * Lets waiters look again. Level-driven: take `next()`, look at the state, and only when there is nothing to do wait for the
 * change, so that none is missed.
 */
export class Wake {
  #next = new NextChange();

  /** What happens at the next `notify()`. */
  next(): Change {
    return this.#next;
  }

  /** Wakes everyone who waits now. */
  notify(): void {
    const happening = this.#next;
    this.#next = new NextChange();
    happening.happen();
  }
}

class NextChange implements Change {
  readonly #listeners = new Set<() => void>();
  #hasHappened = false;

  get hasHappened(): boolean {
    return this.#hasHappened;
  }

  subscribe(listener: () => void): void {
    this.#listeners.add(listener);
  }

  unsubscribe(listener: () => void): void {
    this.#listeners.delete(listener);
  }

  happen(): void {
    this.#hasHappened = true;
    for (const listener of this.#listeners) listener();
  }
}

/** Waits that look again at least this often, so that no timer is set further than the platform can. */
const WAIT_MS_MAX = 3_600_000;

/** Resolves when `change` happens or has happened, when the clock reaches `untilAt` (epoch ms), or when `signal` aborts. May be early. */
export function waitForChange(
  clock: Clock,
  change: Change,
  untilAt: number,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || change.hasHappened) return resolve();
    const end = (): void => {
      callOff();
      change.unsubscribe(end);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const callOff = clock.after(Math.max(0, Math.min(untilAt - clock.now(), WAIT_MS_MAX)), end);
    change.subscribe(end);
    signal.addEventListener("abort", end, { once: true });
  });
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

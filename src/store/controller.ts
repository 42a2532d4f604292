import type { Clock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import { CONTROLLER_CONCURRENCY } from "../lib/limits.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import { WorkQueue } from "../lib/workqueue.ts";
import type { Cache, CacheChange } from "./cache.ts";

/**
 * A loop that keeps one kind of object as it should be. It is driven by level, not by edge: changes only say which
 * objects deserve a look, and a look sees nothing but the present state.
 */
export interface Controller {
  readonly name: string;
  /** The objects that may need another look because of this change. Cheap and pure. */
  keysFor(change: CacheChange): Iterable<string>;
  /** Every object there is: each gets a look at the start. */
  allKeys(cache: Cache): Iterable<string>;
  /**
   * Brings one object one step closer to what it should be. Never runs twice at once for the same key.
   * Throw to be retried with backoff; return a delay to be called again without a change.
   */
  reconcile(key: string, signal: AbortSignal): Promise<{ againAfterMs: number } | undefined>;
}

export interface ControllerDeps {
  readonly cache: Cache;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Keys worked on at the same time. */
  readonly concurrency?: number;
}

/** Runs `controller` until `signal` aborts and its last reconciliations have ended. */
export async function runController(
  controller: Controller,
  { cache, clock, random, log, concurrency = CONTROLLER_CONCURRENCY }: ControllerDeps,
  signal: AbortSignal,
): Promise<void> {
  const queue = new WorkQueue({
    clock,
    random,
    concurrency,
    work: (key, stop) => controller.reconcile(key, stop),
    onFailure: (key, error, failureCount, retryInMs) =>
      log.warn(`${controller.name} failed`, {
        key,
        why: messageOf(error),
        failureCount,
        retryInMs,
      }),
  });
  // Subscribed first: what changes from here on is not missed, what is there already follows.
  const unsubscribe = cache.subscribe((changes) => {
    for (const change of changes) {
      for (const key of controller.keysFor(change)) queue.add(key);
    }
  });
  try {
    for (const key of controller.allKeys(cache)) queue.add(key);
    await queue.run(signal);
  } finally {
    unsubscribe();
  }
}

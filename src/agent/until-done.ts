import { type Backoff, backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";

const BACKOFF: Backoff = { firstMs: 250, factor: 2, maxMs: 10_000 };

export interface UntilDoneDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** The result of `work`, which is done again after each failure; undefined when `signal` aborts before it succeeds. */
export async function untilDone<T>(
  { clock, log, random }: UntilDoneDeps,
  complaint: string,
  work: () => Promise<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  let said: string | undefined;
  for (let failures = 1; !signal.aborted; failures++) {
    try {
      return await work();
    } catch (error) {
      const reason = messageOf(error);
      if (reason !== said) log.warn(complaint, { error: reason });
      said = reason;
      await clock.sleep(backoffMs(BACKOFF, failures, random), signal);
    }
  }
  return undefined;
}

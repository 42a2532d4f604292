/** How often and for how long a registry is asked again that does not answer, or that is overburdened. */
import { type Backoff, backoffMs } from "../../lib/backoff.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Random } from "../../lib/random.ts";
import type { PullPatience } from "../pull.ts";
import type { RegistryError } from "./registry-error.ts";

/** A registry that cannot be reached is given up after some 30 s, as the ECS agent does. */
const RETRIES_MAX = 5;
const RETRY_BACKOFF: Backoff = { firstMs: 1_100, factor: 2, maxMs: 12_000 };
/** Chosen: a registry that wants us to wait longer is as good as one that refuses. */
const RETRY_AFTER_MS_MAX = 30_000;
/** ECS agent: its timeout for manifests, and for pulls that get no further. Attempts that hang count too. */
const INACTIVITY_MS_MAX = 60_000;

export interface AttemptsOptions {
  readonly clock: Pick<Clock, "now" | "sleep">;
  readonly random: Random;
  readonly patience: PullPatience | undefined;
}

export class Attempts {
  readonly #options: AttemptsOptions;

  constructor(options: AttemptsOptions) {
    this.#options = options;
  }

  /** The result of `work`, tried again as long as its failures may pass. `asError` gives them their form. */
  async repeat<T>(
    signal: AbortSignal,
    asError: (thrown: unknown) => RegistryError,
    work: () => Promise<T>,
  ): Promise<T> {
    const series = this.series();
    for (;;) {
      try {
        return await work();
      } catch (thrown) {
        signal.throwIfAborted();
        await series.pauseAfter(asError(thrown), signal);
      }
    }
  }

  /** Attempts at one thing. */
  series(): AttemptSeries {
    return new AttemptSeries(this.#options);
  }
}

export class AttemptSeries {
  readonly #options: AttemptsOptions;
  #failures = 0;
  #progressAt: number;

  constructor(options: AttemptsOptions) {
    this.#options = options;
    this.#progressAt = options.clock.now();
  }

  /** It got further: what failed before counts no more. */
  progressed(): void {
    this.#failures = 0;
    this.#progressAt = this.#options.clock.now();
  }

  /** Waits before the next attempt, or throws `error` when there is none. */
  async pauseAfter(error: RegistryError, signal: AbortSignal): Promise<void> {
    const { clock, patience, random } = this.#options;
    this.#failures++;
    error.retries = this.#failures - 1;
    const isInVain = !error.isTransient || (patience !== undefined && error.isAbsence);
    if (isInVain || this.#failures > RETRIES_MAX) throw error;
    if (clock.now() - this.#progressAt >= INACTIVITY_MS_MAX) throw error.afterTimeout();
    const wishedMs = Math.min(error.retryAfterMs ?? 0, RETRY_AFTER_MS_MAX);
    const inMs = Math.max(wishedMs, backoffMs(RETRY_BACKOFF, this.#failures, random));
    patience?.onRetry({
      reason: error.message,
      inMs,
      number: this.#failures,
      numberMax: RETRIES_MAX,
    });
    await clock.sleep(inMs, signal);
  }
}

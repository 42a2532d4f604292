import { messageOf } from "./errors.ts";
import type { Log } from "./log.ts";

/**
 * Keeps the long-lived loops of one part of the program: starts them, ends them together, and tells when one ends that
 * should not have. A loop retries what may pass by itself; one that throws is broken, and the part with it.
 */
export class Supervisor implements AsyncDisposable {
  /** Rejects with the first loop's error. Never resolves. */
  readonly failed: Promise<never>;
  readonly #log: Log;
  readonly #controller = new AbortController();
  readonly #loops: Promise<void>[] = [];
  readonly #fail: (error: unknown) => void;

  constructor(log: Log) {
    this.#log = log;
    const { promise, reject } = Promise.withResolvers<never>();
    this.failed = promise;
    this.#fail = reject;
    // Whoever cares awaits it; a failure while stopping is no news.
    promise.catch(() => undefined);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Runs `loop` until this supervisor is disposed. */
  start(name: string, loop: (signal: AbortSignal) => Promise<void>): void {
    const running = loop(this.signal).catch((error: unknown) => {
      if (this.signal.aborted) return;
      this.#log.error(`${name} has failed: ${messageOf(error)}`, {
        stack: error instanceof Error ? error.stack : undefined,
      });
      this.#fail(error);
    });
    this.#loops.push(running);
  }

  /** Aborts all loops and waits until each has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort();
    await Promise.all(this.#loops);
  }
}

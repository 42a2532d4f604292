/** The lasting connections of one gateway: what serves them, and for how long. */
export class Connections {
  readonly #running = new Set<Promise<void>>();
  #signal: AbortSignal | undefined;

  /** Ends every connection; undefined while nothing is served: before run() and after its end. */
  get signal(): AbortSignal | undefined {
    return this.#signal?.aborted ? undefined : this.#signal;
  }

  /** Has run() wait for this work, which ends with the signal. */
  keep(work: Promise<void>): void {
    const kept = work.finally(() => this.#running.delete(kept));
    this.#running.add(kept);
  }

  /** Serves until `signal` aborts and everything kept has ended. `started` is called once it serves. */
  async run(signal: AbortSignal, started: () => void = () => undefined): Promise<void> {
    this.#signal = signal;
    started();
    if (!signal.aborted) {
      await new Promise<void>((resolve) => {
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
    await Promise.all(this.#running);
  }
}

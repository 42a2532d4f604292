/** Work that several want at the same time and that is done once. It goes on as long as one of them still wants it. */
export class SharedWork<Result, Progress> {
  readonly #running = new Map<string, Running<Result, Progress>>();

  /** The result of `work`, begun now or already under way for `key`. Rejects with the reason of `signal` when that aborts. */
  async join(
    key: string,
    wish: { readonly signal: AbortSignal; readonly onProgress?: (progress: Progress) => void },
    work: (onProgress: (progress: Progress) => void, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    wish.signal.throwIfAborted();
    const running = this.#running.get(key) ?? this.#begin(key, work);
    const { promise, reject } = Promise.withResolvers<never>();
    const leave = (): void => reject(wish.signal.reason);
    const listener = wish.onProgress ?? (() => undefined);
    wish.signal.addEventListener("abort", leave, { once: true });
    running.wishes.add(wish);
    running.listeners.add(listener);
    if (running.last !== undefined) listener(running.last);
    try {
      return await Promise.race([running.result, promise]);
    } finally {
      wish.signal.removeEventListener("abort", leave);
      running.wishes.delete(wish);
      running.listeners.delete(listener);
      if (running.wishes.size === 0) {
        // Who comes now begins anew instead of waiting for something that is being ended.
        if (this.#running.get(key) === running) this.#running.delete(key);
        running.abort.abort();
      }
    }
  }

  #begin(
    key: string,
    work: (onProgress: (progress: Progress) => void, signal: AbortSignal) => Promise<Result>,
  ): Running<Result, Progress> {
    const abort = new AbortController();
    const listeners = new Set<(progress: Progress) => void>();
    const onProgress = (progress: Progress): void => {
      running.last = progress;
      for (const listener of listeners) listener(progress);
    };
    const result = work(onProgress, abort.signal);
    const running: Running<Result, Progress> = {
      result,
      abort,
      listeners,
      wishes: new Set(),
      last: undefined,
    };
    this.#running.set(key, running);
    // Everybody may have left before it fails.
    result
      .catch(() => undefined)
      .finally(() => {
        if (this.#running.get(key) === running) this.#running.delete(key);
      });
    return running;
  }
}

interface Running<Result, Progress> {
  readonly result: Promise<Result>;
  readonly abort: AbortController;
  readonly wishes: Set<object>;
  readonly listeners: Set<(progress: Progress) => void>;
  last: Progress | undefined;
}

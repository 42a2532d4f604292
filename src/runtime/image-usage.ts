import type { Clock } from "../lib/clock.ts";

/**
 * When each image was last asked for, and which are being removed. In memory: after a restart every image counts as used just
 * then, so that it is rather kept too long. Whoever finds an image keeps it from being removed from that moment on.
 */
export class ImageUsage {
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #lastUsedAt = new Map<string, number>();
  readonly #removals = new Map<string, Promise<void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedAt = clock.now();
  }

  /** Epoch milliseconds. */
  lastUsedAt(name: string): number {
    return this.#lastUsedAt.get(name) ?? this.#startedAt;
  }

  /** Notes that a name was found. False: it is being removed, and that must be waited for, and looked for again. */
  async use(name: string): Promise<boolean> {
    const removal = this.#removals.get(name);
    if (removal === undefined) {
      this.#lastUsedAt.set(name, this.#clock.now());
      return true;
    }
    await removal.catch(() => undefined);
    return false;
  }

  /** Removes a name by `work`, unless it was used after `since`. False: it was. */
  async remove(name: string, since: number, work: () => Promise<void>): Promise<boolean> {
    if (this.lastUsedAt(name) > since) return false;
    const removal = work();
    this.#removals.set(name, removal);
    try {
      await removal;
    } finally {
      this.#removals.delete(name);
    }
    this.#lastUsedAt.delete(name);
    return true;
  }
}

import { rename } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../lib/clock.ts";

/** Chosen: the start of a task is over by then, and a spare is not made beside it. */
const REFILL_AFTER_MS = 1_000;
const SPARE_PREFIX = "spare-";

export interface SpareDiskDeps {
  /** Of the disks, each in a folder of its own. */
  readonly directory: string;
  /** Makes a disk in a folder. */
  readonly make: (home: string, bytes: number) => Promise<void>;
  /** Removes what is there of one. */
  readonly remove: (home: string) => Promise<void>;
  readonly clock: Clock;
}

/**
 * One disk that is made before anybody asks, of the size that was asked for last: the next task of that size need not wait for
 * it. It becomes the task's by a rename of its folder, so that a crash leaves either a spare or a whole disk.
 */
export class SpareDisk {
  readonly #deps: SpareDiskDeps;
  readonly #over = new AbortController();
  #spare: { readonly home: string; readonly bytes: number } | undefined;
  #refill = new AbortController();
  #work: Promise<void> = Promise.resolve();
  #count = 0;

  constructor(deps: SpareDiskDeps) {
    this.#deps = deps;
  }

  /** Whether a folder is a spare's that no living process means to use. */
  isStale(name: string): boolean {
    return name.startsWith(SPARE_PREFIX) && !name.startsWith(this.#ownPrefix);
  }

  /** Makes the spare the disk in `home`, which is not there. False: there is none of that size. */
  async take(home: string, bytes: number): Promise<boolean> {
    const spare = this.#spare;
    if (spare?.bytes !== bytes) return false;
    this.#spare = undefined;
    try {
      await rename(spare.home, home);
      return true;
    } catch {
      this.#spare ??= spare;
      return false;
    }
  }

  /** Has a disk of that size made, when nobody has asked for one for a while. */
  refillSoon(bytes: number): void {
    this.#refill.abort();
    this.#refill = new AbortController();
    const { signal } = this.#refill;
    const until = AbortSignal.any([signal, this.#over.signal]);
    const due = this.#deps.clock.sleep(REFILL_AFTER_MS, until);
    this.#work = Promise.all([this.#work, due]).then(async () => {
      if (!until.aborted) await this.#make(bytes);
    });
  }

  /** Removes the spare, and makes none any more. */
  async close(): Promise<void> {
    this.#over.abort();
    await this.#work;
    if (this.#spare !== undefined) await this.#deps.remove(this.#spare.home);
    this.#spare = undefined;
  }

  get #ownPrefix(): string {
    return `${SPARE_PREFIX}${process.pid}-`;
  }

  /** A spare that cannot be made is not missed: who needs a disk makes it, and is told why that fails. */
  async #make(bytes: number): Promise<void> {
    if (this.#spare?.bytes === bytes) return;
    const home = join(this.#deps.directory, `${this.#ownPrefix}${this.#count++}`);
    try {
      if (this.#spare !== undefined) await this.#deps.remove(this.#spare.home);
      this.#spare = undefined;
      await this.#deps.make(home, bytes);
      this.#spare = { home, bytes };
    } catch {
      await this.#deps.remove(home).catch(() => undefined);
    }
  }
}

import type { Clock } from "../../src/lib/clock.ts";
import { UnavailableError } from "../../src/lib/errors.ts";
import type {
  Change,
  Compare,
  Revision,
  Store,
  StoreRecord,
  TxnResult,
  Write,
} from "../../src/store/store.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** How the store behaves for the server. */
export interface StoreConditions {
  /** Of each way to the store and back. */
  readonly latencyMsMax: number;
  /** Of one batch of changes to a watcher: the cache is behind for so long. */
  readonly lagMsMax: number;
  /** Of one transaction: it cannot be made durable, and has no effect. */
  readonly failureChance: number;
}

export const GOOD_STORE: StoreConditions = { latencyMsMax: 0, lagMsMax: 0, failureChance: 0 };

export interface ProcessStoreDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly conditions: () => StoreConditions;
  /** Aborts when the process dies: from then on nothing it does reaches the store. */
  readonly dead: AbortSignal;
}

/** The store as one server process has it: it takes time, it may fail, and it ends with the process. */
export class ProcessStore implements Store {
  readonly #deps: ProcessStoreDeps;

  constructor(deps: ProcessStoreDeps) {
    this.#deps = deps;
  }

  async list(prefix: string): Promise<{ revision: Revision; records: readonly StoreRecord[] }> {
    await this.#travel();
    const result = await this.#deps.store.list(prefix);
    await this.#travel();
    return result;
  }

  async scan(prefix: string, onPage: (records: readonly StoreRecord[]) => void): Promise<Revision> {
    await this.#travel();
    const revision = await this.#deps.store.scan(prefix, onPage);
    await this.#travel();
    return revision;
  }

  async txn(compare: readonly Compare[], write: readonly Write[]): Promise<TxnResult> {
    const { conditions, random, store } = this.#deps;
    await this.#travel();
    if (random.chance(conditions().failureChance)) throw new UnavailableError("the disk is full");
    const result = await store.txn(compare, write);
    await this.#travel();
    return result;
  }

  async *watch(
    prefix: string,
    from: Revision,
    signal: AbortSignal,
  ): AsyncGenerator<readonly Change[]> {
    const { clock, conditions, dead, random, store } = this.#deps;
    for await (const changes of store.watch(prefix, from, AbortSignal.any([signal, dead]))) {
      const { lagMsMax } = conditions();
      if (lagMsMax > 0) await clock.sleep(random.integer(0, lagMsMax), dead);
      if (dead.aborted) return;
      yield changes;
    }
  }

  compact(before: Revision): Promise<void> {
    return this.#deps.store.compact(before);
  }

  async close(): Promise<void> {}

  async #travel(): Promise<void> {
    const { clock, conditions, dead, random } = this.#deps;
    const { latencyMsMax } = conditions();
    if (latencyMsMax > 0) await clock.sleep(random.integer(0, latencyMsMax), dead);
    if (dead.aborted) throw new UnavailableError("the server process is dead");
  }
}

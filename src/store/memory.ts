import { JournaledStore, type JournaledStoreOptions } from "./journaled-store.ts";
import type { Store } from "./store.ts";

export type MemoryStoreOptions = Pick<
  JournaledStoreOptions,
  "historyChangesMax" | "watchBufferChangesMax"
>;

/**
 * A store that forgets everything with the process. It uses no thread, timer or disk, and each commit takes the same
 * number of turns of the microtask queue: equal input gives equal behaviour, which tests and the simulator rely on.
 */
export function openMemoryStore(options: MemoryStoreOptions = {}): Store {
  return new JournaledStore({
    ...options,
    journal: { append: () => Promise.resolve(), close: () => Promise.resolve() },
    revision: 0,
    gather: () => Promise.resolve(),
  });
}

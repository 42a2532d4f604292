import { JournaledStore } from "./journaled-store.ts";
import type { Store } from "./store.ts";

/** Chosen: enough for requests made together to have read before the first of them has written. */
const TURNS = 50;

/** Each commit takes so many turns of the event loop that requests made together overtake one another. */
export function openSlowStore(): Store {
  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  return new JournaledStore({
    journal: { append: turns, close: () => Promise.resolve() },
    revision: 0,
    gather: () => Promise.resolve(),
  });
}

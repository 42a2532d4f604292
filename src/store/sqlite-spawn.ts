import { Worker } from "node:worker_threads";
import { ownModule } from "../lib/own-files.ts";

/**
 * The thread of a journal, which touches nothing before a store is opened with it. It takes as long to come up as a fifth of
 * a start: whoever has other modules to load spawns it first. It keeps no process alive until then.
 */
export function spawnJournalThread(): Worker {
  const thread = new Worker(ownModule("store/sqlite-worker"));
  thread.unref();
  return thread;
}

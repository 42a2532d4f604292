import type { Clock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Journal } from "./journal.ts";

/** Chosen: the agent has connected by then, and what waited for it has begun. Taking room holds all else up for some 40 ms. */
const FIRST_MS = 10_000;
/** Chosen: what is taken may be used by the records of tasks. */
const AGAIN_MS = 3_600_000;
/** Chosen: after one that failed. */
const RETRY_MS = 60_000;

/** Sees to it that the journal has its room on the disk, until `signal` aborts. */
export async function keepRoom(
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  journal: Journal,
  signal: AbortSignal,
): Promise<void> {
  let pauseMs = FIRST_MS;
  while (!signal.aborted) {
    await clock.sleep(pauseMs, signal);
    if (signal.aborted) return;
    try {
      journal.takeRoom();
      pauseMs = AGAIN_MS;
    } catch (error) {
      const fields = { error: messageOf(error) };
      if (pauseMs !== RETRY_MS) log.warn("no room for the journal on the disk yet", fields);
      pauseMs = RETRY_MS;
    }
  }
}

import type { Clock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Journal } from "./journal.ts";

/** Chosen: the agent has connected by then, and what waited for it has begun. Taking room holds all else up for some 40 ms. */
const FIRST_MS = 10_000;
/** Chosen: what is taken may be used by the records of tasks. */
const AGAIN_MS = 3_600_000;

/** Sees to it that the journal has its room on the disk, until `signal` aborts. */
export async function keepRoom(
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  journal: Journal,
  signal: AbortSignal,
): Promise<void> {
  for (let pauseMs = FIRST_MS; !signal.aborted; pauseMs = AGAIN_MS) {
    await clock.sleep(pauseMs, signal);
    if (signal.aborted) return;
    try {
      journal.takeRoom();
    } catch (error) {
      log.warn("cannot take room on the disk for the journal, which stops when the disk is full", {
        error: messageOf(error),
      });
    }
  }
}

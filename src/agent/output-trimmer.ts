import type { Clock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Output } from "./disk.ts";

/** Chosen: of a file that grows. Whoever writes nothing is looked at half as often each time, down to once a minute. */
const LOOK_MS = 10_000;
const LOOK_IDLE_MS_MAX = 60_000;
/** Trim in steps of this, not with every line. */
const TRIM_BYTES = 4 * 2 ** 20;

/** Keeps the last `keepBytes` of a file on the disk, until `signal` aborts. */
export async function trimOutput(
  deps: { readonly file: Output; readonly clock: Clock; readonly log: Log },
  keepBytes: number,
  signal: AbortSignal,
): Promise<void> {
  let releasedOffset = 0;
  let sizeBefore = 0;
  let lookMs = LOOK_MS;
  while (!signal.aborted) {
    const size = await deps.file.size();
    lookMs = size === sizeBefore ? Math.min(2 * lookMs, LOOK_IDLE_MS_MAX) : LOOK_MS;
    sizeBefore = size;
    const excessBytes = size - keepBytes - releasedOffset;
    if (excessBytes >= TRIM_BYTES) {
      try {
        await deps.file.release(releasedOffset, excessBytes);
        releasedOffset += excessBytes;
      } catch (error) {
        deps.log.warn("cannot trim a container's output", { error: messageOf(error) });
      }
    }
    await deps.clock.sleep(lookMs, signal);
  }
}

import type { Clock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Output } from "./disk.ts";

const LOOK_MS = 10_000;
/** Trim in steps of this, not with every line. */
const TRIM_BYTES = 4 * 2 ** 20;

/** Keeps the last `keepBytes` of a file on the disk, until `signal` aborts. */
export async function trimOutput(
  deps: { readonly file: Output; readonly clock: Clock; readonly log: Log },
  keepBytes: number,
  signal: AbortSignal,
): Promise<void> {
  let releasedOffset = 0;
  while (!signal.aborted) {
    const excessBytes = (await deps.file.size()) - keepBytes - releasedOffset;
    if (excessBytes >= TRIM_BYTES) {
      try {
        await deps.file.release(releasedOffset, excessBytes);
        releasedOffset += excessBytes;
      } catch (error) {
        deps.log.warn("cannot trim a container's output", { error: messageOf(error) });
      }
    }
    await deps.clock.sleep(LOOK_MS, signal);
  }
}

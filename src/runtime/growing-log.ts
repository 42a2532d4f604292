import { copyFile, stat, truncate } from "node:fs/promises";
import type { Clock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";

/** Chosen: what is kept besides as much that is older. */
export const LOG_BYTES_MAX: number = 16 * 2 ** 20;
/** Chosen: a program that runs wild writes no more than some gigabytes meanwhile. */
const LOOK_MS = 60_000;

/** Keeps a log small that another program appends to for months, until `signal` aborts. */
export async function keepSmall(
  path: string,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await cutOff(path).catch((error: unknown) =>
      log.debug("cannot look after a log", { path, error: messageOf(error) }),
    );
    await clock.sleep(LOOK_MS, signal);
  }
}

/**
 * Moves what a log that has grown too long says so far into `<path>.1`, and empties it. Not by a rename: whoever appends to it has
 * it open.
 */
export async function cutOff(path: string): Promise<void> {
  const size = await stat(path).then(
    (file) => file.size,
    () => 0,
  );
  if (size <= LOG_BYTES_MAX) return;
  await copyFile(path, `${path}.1`);
  await truncate(path);
}

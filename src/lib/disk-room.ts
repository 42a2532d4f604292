import { statfs } from "node:fs/promises";
import type { Clock } from "./clock.ts";
import { messageOf } from "./errors.ts";
import type { Log } from "./log.ts";

/** Chosen: how often the disk is looked at. */
const LOOK_MS = 10_000;
/** Chosen: of a disk that was full, so much more must be free before it is said to have room: else each file that comes or goes is told. */
const RELIEVED_FACTOR = 2;

export interface DiskRoom {
  /** What programs without root's privilege may still write. */
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** 0 to 1, as `df` counts. */
  readonly usedShare: number;
}

/** How full the disk is that has the directory. */
export async function readDiskRoom(directory: string): Promise<DiskRoom> {
  const { bavail, bfree, blocks, bsize } = await statfs(directory);
  const used = blocks - bfree;
  return {
    freeBytes: bavail * bsize,
    totalBytes: blocks * bsize,
    usedShare: used / (used + bavail),
  };
}

export interface DiskWatch {
  readonly directory: string;
  /** Default: {@link readDiskRoom} of it. */
  readonly read?: (directory: string) => Promise<DiskRoom>;
  /** With less the disk counts as full. */
  readonly leastBytes: (room: DiskRoom) => number;
  /** What does not work meanwhile, and what to do. */
  readonly consequence: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Says once when the disk is full, and once when it has room again, until `signal` aborts. */
export async function watchDisk(watch: DiskWatch, signal: AbortSignal): Promise<void> {
  const { clock, directory, leastBytes, log, read = readDiskRoom } = watch;
  let isFull = false;
  while (!signal.aborted) {
    try {
      const room = await read(directory);
      const freeMiB = Math.floor(room.freeBytes / 2 ** 20);
      const least = leastBytes(room);
      if (!isFull && room.freeBytes < least) {
        isFull = true;
        log.error(`the disk is full: ${watch.consequence}`, { directory, freeMiB });
      } else if (isFull && room.freeBytes >= RELIEVED_FACTOR * least) {
        isFull = false;
        log.info("the disk has room again", { directory, freeMiB });
      }
    } catch (error) {
      log.debug("cannot look at the disk", { directory, error: messageOf(error) });
    }
    await clock.sleep(LOOK_MS, signal);
  }
}

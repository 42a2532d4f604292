import { statfs } from "node:fs/promises";
import { NoSpaceError } from "./log-store.ts";

/** Chosen: left to the state store and the machine, which a full disk would stop. */
const RESERVE_BYTES: number = 512 * 1024 * 1024;
/** Chosen: of small file systems. */
const RESERVE_SHARE = 0.05;

/** What log events leave free of a disk of that size. */
export function reserveBytesOf(totalBytes: number): number {
  return Math.min(RESERVE_BYTES, Math.ceil(totalBytes * RESERVE_SHARE));
}

/** Chosen: so much may be written between two looks at the disk. */
const LOOK_BYTES: number = 4 * 1024 * 1024;

/** Keeps log lines from filling the disk they share with everything else. */
export class DiskSpace {
  readonly #directory: string;
  #bytesSinceLook = Number.POSITIVE_INFINITY;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Throws NoSpaceError when `bytes` more are not to be written now. */
  async reserve(bytes: number): Promise<void> {
    this.#bytesSinceLook += bytes;
    if (this.#bytesSinceLook < LOOK_BYTES) return;
    const { bavail, blocks, bsize } = await statfs(this.#directory);
    const freeBytes = bavail * bsize;
    if (freeBytes - bytes < reserveBytesOf(blocks * bsize)) {
      // The next one looks again: somebody may make room.
      this.#bytesSinceLook = Number.POSITIVE_INFINITY;
      throw new NoSpaceError(freeBytes);
    }
    this.#bytesSinceLook = 0;
  }
}

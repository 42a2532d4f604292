import { execFile } from "node:child_process";
import { type FSWatcher, watch } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

export interface OutputWatch extends Disposable {
  readonly works: boolean;
}

/** The file a container's output goes to: read here while the container, or another agent before us, appends to it. */
export class OutputFile implements AsyncDisposable {
  readonly path: string;
  readonly #handle: FileHandle;

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  /** Opens the file, creating it if the container has not yet. */
  static async open(path: string): Promise<OutputFile> {
    return new OutputFile(path, await open(path, "a+", 0o600));
  }

  /** Up to `lengthMax` bytes from `offset`; empty at the end. */
  async read(offset: number, lengthMax: number): Promise<Uint8Array> {
    const buffer = Buffer.allocUnsafe(lengthMax);
    const { bytesRead } = await this.#handle.read(buffer, 0, lengthMax, offset);
    return buffer.subarray(0, bytesRead);
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  /** When it was last written to, in epoch milliseconds. */
  async modifiedAt(): Promise<number> {
    return Math.floor((await this.#handle.stat()).mtimeMs);
  }

  /** Calls back soon after the file has grown, while the result `works`: a machine has only so many inotify watches. */
  watch(onGrowth: () => void): OutputWatch {
    let watcher: FSWatcher | undefined;
    const stop = (): void => {
      watcher?.close();
      watcher = undefined;
    };
    try {
      watcher = watch(this.path, { persistent: false }, onGrowth);
      watcher.on("error", stop);
    } catch {
      watcher = undefined;
    }
    return {
      get works() {
        return watcher !== undefined;
      },
      [Symbol.dispose]: stop,
    };
  }

  /**
   * Gives the blocks of a range back to the file system; offsets stay what they are, the range reads as zeros. Done by
   * util-linux because Node has no fallocate; where the file system cannot, the file just stays large (rejects).
   */
  async release(offset: number, length: number): Promise<void> {
    const range = ["--punch-hole", "--offset", String(offset), "--length", String(length)];
    await new Promise<void>((resolve, reject) => {
      execFile("fallocate", [...range, this.path], (error) => (error ? reject(error) : resolve()));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

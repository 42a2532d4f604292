import { execFile } from "node:child_process";
import { util } from "../lib/builtins.ts";
import { messageOf } from "../lib/errors.ts";
import { SYSTEM_PATH } from "./executables.ts";
import { ImageError } from "./runtime.ts";

/** Has the disk that `path` lies on take all that was written there. Throws ImageError. */
export async function syncFileSystem(path: string): Promise<void> {
  try {
    const env = { PATH: SYSTEM_PATH };
    await util.promisify(execFile)("sync", ["--file-system", path], { env });
  } catch (cause) {
    throw new ImageError(`cannot write the image to the disk: ${messageOf(cause)}`, { cause });
  }
}

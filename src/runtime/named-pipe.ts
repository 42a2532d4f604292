import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";

/** Makes a named pipe; one that is there is a success. */
export async function makeNamedPipe(path: string): Promise<void> {
  if (!existsSync(path)) await promisify(execFile)("mkfifo", ["-m", "600", path]);
}

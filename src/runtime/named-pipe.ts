import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { util } from "../lib/builtins.ts";

/** Makes a named pipe; one that is there is a success. */
export async function makeNamedPipe(path: string): Promise<void> {
  if (!existsSync(path)) await util.promisify(execFile)("mkfifo", ["-m", "600", path]);
}

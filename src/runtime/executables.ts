import { access, constants } from "node:fs/promises";
import { delimiter, resolve } from "node:path";

/** Own PATH, and behind it the directories of system programs, which a user's PATH (or sudo's) may lack. */
export const SYSTEM_PATH: string = [
  ...(process.env.PATH ?? "").split(delimiter),
  "/usr/local/sbin",
  "/usr/local/bin",
  "/usr/sbin",
  "/usr/bin",
  "/sbin",
  "/bin",
]
  .filter(Boolean)
  .join(delimiter);

/** The path of an executable by its name or path, or undefined. */
export async function findExecutable(name: string): Promise<string | undefined> {
  for (const directory of SYSTEM_PATH.split(delimiter)) {
    const path = resolve(directory, name);
    const isExecutable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isExecutable) return path;
  }
  return undefined;
}

import { SetupError, UnavailableError } from "../lib/errors.ts";

/** System errors that a user can mend, by code: what to do. `errno(3)`. */
const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full: make room on it",
  EDQUOT: "the disk quota is used up: make room",
  EROFS: "the file system is read-only: choose another data directory with --data-dir",
  EACCES: "this user may not: run it as root, or choose another data directory with --data-dir",
  EPERM: "this user may not: run it as root, or choose another data directory with --data-dir",
  EMFILE: "too many open files: raise the limit (ulimit -n)",
  ENFILE: "too many open files on this machine: raise fs.file-max",
  EIO: "the disk reports an error: look into the system's log",
};

/** An error that a user can mend, in a line that says what to do; undefined for one of ours. */
export function explain(error: unknown): string | undefined {
  if (error instanceof SetupError || error instanceof UnavailableError) return error.message;
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  const remedy = REMEDIES[String(error.code)];
  if (remedy === undefined) return undefined;
  const path = "path" in error ? `${String(error.path)}: ` : "";
  return `${path}${remedy} (${String(error.code)})`;
}

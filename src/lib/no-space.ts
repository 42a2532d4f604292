/** What a disk says that is full, or a quota on it that is used up. */
const SYSTEM_CODES: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT"]);
/** SQLITE_FULL, and SQLITE_IOERR_SHMSIZE: no room for the index of the write-ahead log. */
const SQLITE_CODES: ReadonlySet<unknown> = new Set([13, 4874]);
const WORDS = /no space left on device|disk quota exceeded/i;

/** Whether something failed because a disk has no room, by the words of the system, SQLite or another program. */
export function isNoSpace(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ("code" in error && SYSTEM_CODES.has(error.code)) return true;
  if ("errcode" in error && SQLITE_CODES.has(error.errcode)) return true;
  return WORDS.test(error.message);
}

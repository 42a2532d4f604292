import type { JournalRow } from "./journal.ts";

/** What passes between the store and its journal's thread. Each request has one reply, in order. */
export type JournalRequest =
  | { readonly kind: "open" }
  /** Rows below `beforeId`, newest first. */
  | { readonly kind: "load"; readonly beforeId: number }
  | { readonly kind: "append"; readonly rows: readonly JournalRow[]; readonly liveRows: number }
  | { readonly kind: "close" };

export type JournalReply =
  | { readonly kind: "done" }
  | { readonly kind: "loaded"; readonly rows: readonly JournalRow[]; readonly lowestId: number }
  /** `setup`: a person has to act. Otherwise trying again may help. */
  | { readonly kind: "failed"; readonly message: string; readonly setup: boolean };

/** Unasked for: something worth a line in the log. */
export interface JournalNotice {
  readonly kind: "notice";
  readonly text: string;
}

/** What the thread is started with. */
export interface JournalThreadData {
  readonly directory: string;
  readonly deadRowsMin: number;
}

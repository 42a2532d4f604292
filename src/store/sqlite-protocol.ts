import type { JournalRow } from "./journal.ts";
import type { Revision } from "./store.ts";

/** What passes between the store and its journal's thread. Each request has one reply, in order. */
export type JournalRequest =
  | { readonly kind: "open" }
  /** The next records; before the first append only. */
  | { readonly kind: "load" }
  | { readonly kind: "append"; readonly rows: readonly JournalRow[]; readonly liveRows: number }
  | { readonly kind: "close" };

export type JournalReply =
  | { readonly kind: "done" }
  /** `revision`: of the last transaction. */
  | { readonly kind: "opened"; readonly revision: Revision }
  /** No page: that was all. */
  | { readonly kind: "loaded"; readonly page: LivePage | undefined }
  /** `setup`: a person has to act. Otherwise trying again may help. */
  | { readonly kind: "failed"; readonly message: string; readonly setup: boolean };

/**
 * Some records, in no order, by column. Passing them between threads costs a copy of the keys: the rest is handed over. As
 * strings the documents would go through the young generation of the main thread's heap, which was 40 % of opening.
 */
export interface LivePage {
  readonly keys: readonly string[];
  readonly revisions: Float64Array<ArrayBuffer>;
  /** The documents' JSON in UTF-8, one behind the other. */
  readonly texts: Uint8Array<ArrayBuffer>;
  /** Where each ends in `texts`. */
  readonly ends: Uint32Array<ArrayBuffer>;
}

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

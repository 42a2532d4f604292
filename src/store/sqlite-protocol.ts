import type { JournalRow } from "./journal.ts";
import type { Revision } from "./store.ts";

/** What passes between the store and its journal's thread. The first is to open, and each has one reply, in order. */
export type JournalRequest =
  | { readonly kind: "open"; readonly directory: string; readonly deadRowsMin: number }
  /** The next records; before the first append only. */
  | { readonly kind: "load" }
  | { readonly kind: "append"; readonly rows: readonly JournalRow[]; readonly liveRows: number }
  | { readonly kind: "close" };

export type JournalReply =
  | { readonly kind: "done" }
  /** `revision`: of the last transaction. `path`: the file that the rows of the load are in. */
  | { readonly kind: "opened"; readonly revision: Revision; readonly path: string }
  /** No page: that was all. */
  | { readonly kind: "loaded"; readonly page: RecordPage | undefined }
  /** `setup`: a person has to act. Otherwise trying again may help. */
  | { readonly kind: "failed"; readonly message: string; readonly setup: boolean };

/**
 * Some records, newest first, and what they superseded, by column. Passing them between threads costs a copy of the keys: the
 * rest is handed over. The documents stay on disk, but for their beginnings: keeping them all was most of what opening a large
 * store cost.
 */
export interface RecordPage {
  readonly keys: readonly string[];
  readonly revisions: Float64Array<ArrayBuffer>;
  /** Their rows. */
  readonly ids: Float64Array<ArrayBuffer>;
  /** The first {@link HEAD_BYTES} of the documents' JSON in UTF-8, one behind the other. */
  readonly heads: Buffer<ArrayBuffer>;
  /** Where each ends in `heads`. */
  readonly ends: Uint32Array<ArrayBuffer>;
}

/** Chosen: as much as a record looks at before it asks for the whole document; see `document.ts`. */
export const HEAD_BYTES = 640;

/** Unasked for. */
export type JournalNotice =
  /** Something worth a line in the log. */
  | { readonly kind: "notice"; readonly text: string }
  /** The file in force is another now: every record's row is in it, under the same id. */
  | { readonly kind: "rewritten"; readonly path: string };

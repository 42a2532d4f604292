/** Every limit of the program, each with its origin. "Chosen" marks a judgement of ours that may be revised. */

/**
 * Longest key of a store record. The longest names are those of log streams: 512 characters, each of up to three bytes in UTF-8
 * and so of nine characters where it is URI-encoded. The rest is for account, region, service and the ids before it.
 */
export const STORE_KEY_LENGTH_MAX: number = 512 * 9 + 512;

/** etcd's default `--max-txn-ops`: what one transaction may compare, and what it may write. */
export const STORE_TXN_OPERATIONS_MAX = 128;

/** Chosen, below etcd's default request limit of 1.5 MiB. The largest AWS document here, a task definition, has 64 KiB. */
export const STORE_DOCUMENT_LENGTH_MAX = 1_048_576;

/** Chosen. Transactions that may wait for the disk before further ones are refused: about a second of full load. */
export const STORE_QUEUE_TXNS_MAX = 20_000;

/** Chosen. Changes kept in memory so that a watcher can resume: seconds of full load, and at most some tens of MB. */
export const STORE_HISTORY_CHANGES_MAX = 10_000;

/** Chosen. Changes a watcher may be behind before it has to list again. */
export const STORE_WATCH_BUFFER_CHANGES_MAX = 10_000;

/** Chosen. A journal with fewer superseded rows is not worth rewriting, whatever the ratio. */
export const JOURNAL_DEAD_ROWS_MIN = 10_000;

/** Chosen. Rows that the journal's thread copies before it looks for commits to do: about 3 ms. */
export const JOURNAL_REWRITE_SLICE_ROWS = 256;

/** Chosen. Nothing should lock the journal against reading; what does all the same may hold the event loop up this long. */
export const JOURNAL_READ_TIMEOUT_MS = 1000;

/** Chosen. Rows per message while the journal is read at start: from 128 to 1,024 take the same time (measured). */
export const JOURNAL_LOAD_ROWS = 256;

/** Chosen. A work queue with more distinct keys is fed by something that never stops. */
export const WORKQUEUE_KEYS_MAX = 1_000_000;

/** Chosen. The first retry of a failed key comes after about this long; each further one waits twice as long … */
export const WORKQUEUE_BACKOFF_MS_MIN = 100;

/** … up to this. Chosen: a person who has fixed the cause should not wait much longer. */
export const WORKQUEUE_BACKOFF_MS_MAX = 30_000;

/** Chosen. Keys that one controller works on at the same time. */
export const CONTROLLER_CONCURRENCY = 16;

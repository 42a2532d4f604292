/** Every limit of the door, with its origin. "Chosen" marks a judgement of ours that may be revised. */

/** Chosen, above all of AWS's own (the largest here is PutLogEvents' 1 MiB); also for what gzip unpacks to. */
export const BODY_BYTES_MAX: number = 16 * 1024 * 1024;

/** Chosen: of those who have not proved to be anybody. STS takes tokens of 20,000 characters and policies of 2,048. */
export const ANONYMOUS_BODY_BYTES_MAX: number = 64 * 1024;

/** Chosen. What is read of a body that is too large before the connection is cut. */
export const DISCARDED_BYTES_MAX: number = 4 * BODY_BYTES_MAX;

/** Chosen. Presigned URLs with session tokens need some kilobytes; Node's default is 16 KiB. */
export const HEADER_BYTES_MAX: number = 32 * 1024;

/** Chosen. Beyond what any fleet here needs; refuses instead of running out of files. */
export const CONNECTIONS_MAX: number = 10_000;

/** Chosen, above the 60 s after which SDKs drop an idle connection: Node's 5 s races with their next request. */
export const KEEP_ALIVE_MS: number = 75_000;

/** Chosen. Time to send the headers; Node demands that it is not above the next one. */
export const HEADERS_MS_MAX: number = 20_000;

/** Chosen. Time to send a whole request: 16 MiB over a slow line. */
export const REQUEST_MS_MAX: number = 120_000;

/** Chosen. For a caller that takes nothing of a reply which is waiting for it. */
export const REPLY_MS_MAX: number = 60_000;

/** Chosen. Node looks this often for requests that are overdue. */
export const OVERDUE_CHECK_MS: number = 10_000;

/** Chosen. What calls under way and websockets get to end by themselves when the door closes. */
export const CLOSE_GRACE_MS: number = 2_000;

/** Chosen. One message of an agent; the largest is a batch of state changes. */
export const WEBSOCKET_MESSAGE_BYTES_MAX: number = 4 * 1024 * 1024;

/** AWS: five minutes either way. */
export const SKEW_MS_MAX: number = 5 * 60_000;

/** AWS: a presigned URL lives seven days at most. */
export const PRESIGNED_SECONDS_MAX: number = 7 * 24 * 3600;

/** Chosen. One for each access key, day, region, service and set of signed headers in use. */
export const SIGNING_KEYS_MAX: number = 1024;

/**
 * Chosen, far above any real input. Shapes may refer to themselves, and free-form documents have no shape: without it
 * an input could overflow the stack of whoever walks it.
 */
export const VALUE_DEPTH_MAX: number = 100;

/**
 * Chosen. Names and indices in the keys of a form; PutMetricData at AWS's limit of 1 MB has some 60,000. Each costs
 * more memory than its bytes.
 */
export const FORM_NODES_MAX: number = 200_000;

/** Chosen. An input can hold any number of mistakes, and nobody reads more than a few. */
export const VIOLATIONS_MAX: number = 20;

/** Chosen. Characters of a wrong value that an error text repeats. */
export const SHOWN_VALUE_LENGTH_MAX: number = 100;

/** Chosen. With a full disk every call fails alike, and the log may be on that disk. */
export const UNAVAILABLE_LOG_PAUSE_MS: number = 1_000;

import { CompactedError, UnavailableError } from "../lib/errors.ts";
import type { Change, Revision } from "./store.ts";

export interface ChangeFeedOptions {
  /** Changes after this revision will be published. */
  readonly revision: Revision;
  /** Changes kept for watchers that resume. */
  readonly historyChangesMax: number;
  /** Changes that one watcher may be behind. */
  readonly bufferChangesMax: number;
}

/**
 * The recent changes of a store and those who follow them. A published batch reaches a waiting watcher in the same tick:
 * the latency of every reaction of the control plane rides on this path, so it is one filter and one promise.
 */
export class ChangeFeed {
  readonly #options: ChangeFeedOptions;
  readonly #watchers = new Set<Watcher>();
  /** Ascending by revision, complete after {@link #floor}. */
  #history: Change[] = [];
  /** Changes up to and including this revision may be gone. */
  #floor: Revision;
  #closed = false;

  constructor(options: ChangeFeedOptions) {
    this.#options = options;
    this.#floor = options.revision;
  }

  /** Hands over whole transactions, in order of revision. */
  publish(changes: readonly Change[]): void {
    for (const change of changes) this.#history.push(change);
    // Trimming only at twice the size makes the cost of moving the array constant per change.
    const { historyChangesMax } = this.#options;
    if (this.#history.length > 2 * historyChangesMax) {
      this.#drop(this.#history.length - historyChangesMax);
    }
    for (const watcher of this.#watchers) watcher.push(changes);
  }

  /** Every change below `prefix` after `from`; see `Store.watch`. */
  watch(prefix: string, from: Revision, signal: AbortSignal): AsyncIterable<readonly Change[]> {
    return { [Symbol.asyncIterator]: () => this.#follow(prefix, from, signal) };
  }

  /** Drops what happened before `revision`. */
  forget(revision: Revision): void {
    this.#drop(firstAfter(this.#history, revision - 1));
    this.#floor = Math.max(this.#floor, revision - 1);
  }

  /** Ends every watcher with UnavailableError. */
  close(): void {
    this.#closed = true;
    for (const watcher of this.#watchers) watcher.fail(closedError());
  }

  #drop(count: number): void {
    const last = this.#history[count - 1];
    if (last === undefined) return;
    this.#floor = last.revision;
    this.#history = this.#history.slice(count);
  }

  #follow(prefix: string, from: Revision, signal: AbortSignal): Watcher {
    const watcher = new Watcher({
      prefix,
      from,
      signal,
      bufferChangesMax: this.#options.bufferChangesMax,
      onEnd: () => this.#watchers.delete(watcher),
    });
    this.#watchers.add(watcher);
    if (signal.aborted) watcher.end();
    else if (this.#closed) watcher.fail(closedError());
    else if (from < this.#floor) {
      watcher.fail(new CompactedError(`changes after revision ${from} are gone`));
    } else watcher.push(this.#history.slice(firstAfter(this.#history, from)));
    return watcher;
  }
}

interface WatcherOptions {
  readonly prefix: string;
  readonly from: Revision;
  readonly signal: AbortSignal;
  readonly bufferChangesMax: number;
  readonly onEnd: () => void;
}

type Next = IteratorResult<readonly Change[], undefined>;
const DONE: Next = { done: true, value: undefined };

/** One follower. Written out rather than an async generator, which would add three turns of the microtask queue. */
class Watcher implements AsyncIterableIterator<readonly Change[], undefined> {
  readonly #options: WatcherOptions;
  readonly #onAbort = (): void => this.end();
  #buffer: (readonly Change[])[] = [];
  #bufferedChanges = 0;
  #waiting: PromiseWithResolvers<Next> | undefined;
  #ended = false;
  /** Why it ended, until the reader has been told. */
  #error: Error | undefined;

  constructor(options: WatcherOptions) {
    this.#options = options;
    options.signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  push(changes: readonly Change[]): void {
    const wanted = this.#select(changes);
    if (wanted.length === 0 || this.#ended) return;
    if (this.#waiting !== undefined) {
      this.#waiting.resolve({ done: false, value: wanted });
      this.#waiting = undefined;
      return;
    }
    this.#buffer.push(wanted);
    this.#bufferedChanges += wanted.length;
    if (this.#bufferedChanges > this.#options.bufferChangesMax) {
      this.fail(new CompactedError(`a watcher fell ${this.#bufferedChanges} changes behind`));
    }
  }

  next(): Promise<Next> {
    const batch = this.#buffer.shift();
    if (batch !== undefined) {
      this.#bufferedChanges -= batch.length;
      return Promise.resolve({ done: false, value: batch });
    }
    if (this.#error !== undefined) {
      const error = this.#error;
      this.#error = undefined;
      return Promise.reject(error);
    }
    if (this.#ended) return Promise.resolve(DONE);
    this.#waiting ??= Promise.withResolvers<Next>();
    return this.#waiting.promise;
  }

  return(): Promise<Next> {
    this.end();
    return Promise.resolve(DONE);
  }

  end(): void {
    this.#stop();
    this.#waiting?.resolve(DONE);
    this.#waiting = undefined;
  }

  fail(error: Error): void {
    this.#stop();
    if (this.#waiting === undefined) this.#error = error;
    else this.#waiting.reject(error);
    this.#waiting = undefined;
  }

  #stop(): void {
    this.#ended = true;
    this.#buffer = [];
    this.#bufferedChanges = 0;
    this.#options.signal.removeEventListener("abort", this.#onAbort);
    this.#options.onEnd();
  }

  #select(changes: readonly Change[]): readonly Change[] {
    const { prefix, from } = this.#options;
    const first = changes[0];
    if (first === undefined || (prefix === "/" && first.revision > from)) return changes;
    return changes.filter((change) => change.revision > from && change.key.startsWith(prefix));
  }
}

/** The index of the first change whose revision is above `revision`. */
function firstAfter(changes: readonly Change[], revision: Revision): number {
  let low = 0;
  let high = changes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const change = changes[middle];
    if (change !== undefined && change.revision <= revision) low = middle + 1;
    else high = middle;
  }
  return low;
}

function closedError(): UnavailableError {
  return new UnavailableError("the store is closed");
}

import type { LiveTailSessionLogEvent } from "@aws-sdk/client-cloudwatch-logs";
import { ApiError } from "../lib/errors.ts";
import type { Random } from "../lib/random.ts";
import type { FilterPattern } from "./filter-pattern/filter-pattern.ts";
import { groupArn, type LogGroup, type LogStream } from "./model.ts";

/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartLiveTail.html: events of one update. */
const UPDATE_EVENTS_MAX = 500;
/** Chosen: what one update may hold in memory and bring to its reader; 500 ordinary lines are a tenth of it. */
const UPDATE_BYTES_MAX: number = 2 * 1024 * 1024;

/** What a session is interested in. */
export interface TailScope {
  readonly accountId: string;
  /** Ids of groups. */
  readonly groupIds: ReadonlySet<string>;
  readonly hasStream: (name: string) => boolean;
  readonly pattern: FilterPattern;
}

export interface TailEvent {
  readonly timestamp: number;
  readonly message: string;
}

/** One session between two updates: all events, or a fair sample of those that are too many. */
export class TailSession {
  readonly scope: TailScope;
  readonly #random: Random;
  #events: LiveTailSessionLogEvent[] = [];
  #bytes = 0;
  /** Events that were wanted since the last update. */
  #count = 0;

  constructor(scope: TailScope, random: Random) {
    this.scope = scope;
    this.#random = random;
  }

  offer(group: LogGroup, stream: LogStream, event: TailEvent, ingestionTime: number): void {
    const { groupIds, hasStream, pattern } = this.scope;
    if (!groupIds.has(group.id) || !hasStream(stream.name)) return;
    const { timestamp, message } = event;
    if (!pattern.matches(message)) return;
    const count = this.#count++;
    // Each of the events so far is in the sample with the same chance.
    const isFull = this.#events.length >= UPDATE_EVENTS_MAX;
    const at = isFull ? Math.floor(this.#random.next() * (count + 1)) : this.#events.length;
    if (at >= UPDATE_EVENTS_MAX) return;
    const freedBytes = this.#events[at]?.message?.length ?? 0;
    if (this.#bytes - freedBytes + message.length > UPDATE_BYTES_MAX) return;
    this.#bytes += message.length - freedBytes;
    this.#events[at] = {
      logStreamName: stream.name,
      logGroupIdentifier: groupArn(group, group.name),
      message,
      timestamp,
      ingestionTime,
    };
  }

  /** What has come in since the last call, oldest first. */
  take(): { readonly events: LiveTailSessionLogEvent[]; readonly sampled: boolean } {
    const events = this.#events.sort((a, b) => (a.timestamp ?? 0) - (b.timestamp ?? 0));
    const sampled = this.#count > events.length;
    this.#events = [];
    this.#bytes = 0;
    this.#count = 0;
    return { events, sampled };
  }
}

/** CloudWatch Logs quota: sessions of one account. */
const SESSIONS_MAX = 15;

/** The sessions that are open. */
export class LiveTails {
  readonly #sessions = new Set<TailSession>();

  countOf(accountId: string): number {
    return [...this.#sessions].filter(({ scope }) => scope.accountId === accountId).length;
  }

  /** Lets a session see events, until the result is disposed of. Throws LimitExceededException. */
  open(session: TailSession): Disposable {
    if (this.countOf(session.scope.accountId) >= SESSIONS_MAX) {
      const message = "Resource limit exceeded: too many concurrent Live Tail sessions.";
      throw new ApiError("LimitExceededException", message);
    }
    this.#sessions.add(session);
    return { [Symbol.dispose]: () => this.#sessions.delete(session) };
  }

  /** Tells the sessions of events that are durable now. */
  publish(
    group: LogGroup,
    stream: LogStream,
    events: readonly TailEvent[],
    ingestedAt: number,
  ): void {
    for (const session of this.#sessions) {
      for (const event of events) session.offer(group, stream, event, ingestedAt);
    }
  }
}

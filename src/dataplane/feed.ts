/**
 * Keeps one node's network as the server's feed says. Two loops: one follows the feed, over as many connections as it takes, and
 * keeps the newest network; the other makes it, always the newest only. While there is no connection the network stays as it is.
 */
import { type Backoff, backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { MessageSocket } from "../lib/message-socket.ts";
import type { Random } from "../lib/random.ts";
import {
  FEED_ID_MEMBERS,
  type FeedMessage,
  type FeedReply,
  NO_NETWORK,
  type NodeNetwork,
} from "../protocol/node-feed.ts";
import type { Dataplane } from "./dataplane.ts";

export interface NodeFeedDeps {
  /** Opens one connection to the feed; rejects when it cannot, within a time of its own. */
  readonly dial: (signal: AbortSignal) => Promise<MessageSocket>;
  readonly dataplane: Pick<Dataplane, "apply">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** The server speaks every 20–50 s: this long without a word, and the connection is dead. */
const SILENCE_MS_MAX = 100_000;
/** Chosen: soon again after a server's outage, and no storm. */
const BACKOFF: Backoff = { firstMs: 250, factor: 2, maxMs: 30_000 };

/** RFC 6455: the peer goes away; the peer breaks the protocol. */
const CLOSE_GOING_AWAY = 1001;
const CLOSE_PROTOCOL_ERROR = 1002;

/** Follows the feed and applies it until `signal` aborts. */
export async function runNodeFeed(deps: NodeFeedDeps, signal: AbortSignal): Promise<void> {
  const newest = new Newest<NodeNetwork>();
  await Promise.all([follow(deps, newest, signal), applyNewest(deps, newest, signal)]);
}

/** `network` with a change made to it. */
export function mergeChange(
  network: NodeNetwork,
  { put, deleted }: Extract<FeedMessage, { type: "change" }>,
): NodeNetwork {
  const merge = (list: keyof NodeNetwork): readonly unknown[] => {
    const idOf = (item: object): string => Reflect.get(item, FEED_ID_MEMBERS[list]) as string;
    const byId = new Map<string, object>(network[list].map((item) => [idOf(item), item]));
    for (const id of deleted[list] ?? []) byId.delete(id);
    for (const item of put[list] ?? []) byId.set(idOf(item), item);
    return [...byId.values()];
  };
  const lists = Object.keys(FEED_ID_MEMBERS) as (keyof NodeNetwork)[];
  // Each list keeps the type of its items.
  return Object.fromEntries(lists.map((list) => [list, merge(list)])) as unknown as NodeNetwork;
}

async function follow(
  deps: NodeFeedDeps,
  newest: Newest<NodeNetwork>,
  signal: AbortSignal,
): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      const socket = await deps.dial(signal);
      const { reason, listed } = await converse(deps, socket, newest, signal);
      if (signal.aborted) return;
      if (listed) failures = 0;
      deps.log.info("network feed closed", { reason });
    } catch (error) {
      if (signal.aborted) return;
      deps.log.warn("network feed unreachable", { reason: messageOf(error) });
    }
    failures++;
    await deps.clock.sleep(backoffMs(BACKOFF, failures, deps.random), signal);
  }
}

/** One connection, to its end. `listed`: it was of use. */
async function converse(
  { clock, log }: NodeFeedDeps,
  socket: MessageSocket,
  newest: Newest<NodeNetwork>,
  signal: AbortSignal,
): Promise<{ readonly reason: string; readonly listed: boolean }> {
  const closed = Promise.withResolvers<string>();
  const ended = new AbortController();
  let network: NodeNetwork | undefined;
  let heardAt = clock.now();
  // A peer that is dead does not answer the close: the connection is over for us at once.
  const hangUp = (code: number, reason: string): void => {
    ended.abort();
    socket.close(code, reason);
    closed.resolve(reason);
  };
  socket.onClose((code, reason) => closed.resolve(`${code} ${reason}`.trim()));
  socket.onMessage((text) => {
    if (ended.signal.aborted) return;
    heardAt = clock.now();
    try {
      const message = JSON.parse(text) as FeedMessage;
      if (message.type === "heartbeat")
        socket.send(JSON.stringify({ type: "heartbeat" } satisfies FeedReply));
      // A server of an older version leaves lists out.
      else if (message.type === "list") network = { ...NO_NETWORK, ...message.network };
      else if (message.type === "change" && network !== undefined)
        network = mergeChange(network, message);
      else throw new Error(`unexpected message ${message.type}`);
      if (network !== undefined && message.type !== "heartbeat") newest.put(network);
    } catch (error) {
      log.warn("network feed is not understood", { reason: messageOf(error) });
      hangUp(CLOSE_PROTOCOL_ERROR, "message not understood");
    }
  });
  const leave = (): void => hangUp(CLOSE_GOING_AWAY, "the node is stopping");
  signal.addEventListener("abort", leave, { once: true });
  if (signal.aborted) leave();
  const lastHeardAt = (): number => {
    // A clock that was set back makes nobody heard of later.
    heardAt = Math.min(heardAt, clock.now());
    return heardAt;
  };
  const silence = watchSilence(clock, lastHeardAt, ended.signal).then((isSilent) => {
    if (isSilent) hangUp(CLOSE_GOING_AWAY, `silent for ${SILENCE_MS_MAX / 1000} s`);
  });
  const reason = await closed.promise;
  signal.removeEventListener("abort", leave);
  ended.abort();
  await silence;
  return { reason, listed: network !== undefined };
}

/** Resolves with true once nothing was heard for too long, with false when `signal` aborts. */
async function watchSilence(
  clock: Clock,
  heardAt: () => number,
  signal: AbortSignal,
): Promise<boolean> {
  while (!signal.aborted) {
    const leftMs = heardAt() + SILENCE_MS_MAX - clock.now();
    if (leftMs <= 0) return true;
    await clock.sleep(leftMs, signal);
  }
  return false;
}

async function applyNewest(
  { dataplane, clock, random, log }: NodeFeedDeps,
  newest: Newest<NodeNetwork>,
  signal: AbortSignal,
): Promise<void> {
  let failed: { readonly network: NodeNetwork; readonly reason: string } | undefined;
  let failures = 0;
  while (true) {
    const pauseMs = failed === undefined ? undefined : backoffMs(BACKOFF, failures, random);
    await newest.arrival(clock, pauseMs, signal);
    if (signal.aborted) return;
    const network = newest.take() ?? failed?.network;
    if (network === undefined) continue;
    try {
      await dataplane.apply(network);
      if (failed !== undefined) log.info("the network is as it should be again");
      [failed, failures] = [undefined, 0];
    } catch (error) {
      const reason = messageOf(error);
      if (reason !== failed?.reason)
        log.warn("the network cannot be made as it should be", { reason });
      failed = { network, reason };
      failures++;
    }
  }
}

/** A place for one value, where a newer one replaces what has not been taken yet. One taker. */
class Newest<T> {
  #value: T | undefined;
  #wake: (() => void) | undefined;

  put(value: T): void {
    this.#value = value;
    this.#wake?.();
  }

  take(): T | undefined {
    const value = this.#value;
    this.#value = undefined;
    return value;
  }

  /** Resolves when there is a value, when `pauseMs` have passed (undefined: never), or when `signal` aborts. */
  async arrival(clock: Clock, pauseMs: number | undefined, signal: AbortSignal): Promise<void> {
    if (this.#value !== undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    this.#wake = wake;
    signal.addEventListener("abort", wake, { once: true });
    if (signal.aborted) wake();
    const callOff = pauseMs === undefined ? undefined : clock.after(pauseMs, wake);
    await promise;
    callOff?.();
    signal.removeEventListener("abort", wake);
    this.#wake = undefined;
  }
}

import { messageOf } from "../lib/errors.ts";
import { commit } from "../store/commit.ts";
import type { StoreRecord } from "../store/store.ts";
import type { LogsDeps } from "./deps.ts";
import { type LogGroup, type LogStream, retainedSince } from "./model.ts";

/** Chosen: expired events are out of sight at once; this only gives back their space. */
const REAP_INTERVAL_MS: number = 5 * 60 * 1000;
/** Chosen: streams deleted at once. A transaction may have up to `STORE_TXN_OPERATIONS_MAX`. */
const STREAMS_PER_TXN = 100;

/**
 * Keeps the engine to what the store says: removes the events of streams that are gone, and the streams of groups
 * that are gone (a crash came between the two), and forgets what is past its retention. Until `signal` aborts.
 */
export async function runLogReaper(deps: LogsDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await reapLogs(deps);
    } catch (error) {
      if (signal.aborted) return;
      deps.log.warn("cannot reap log streams", { error: messageOf(error) });
    }
    await deps.clock.sleep(REAP_INTERVAL_MS, signal);
  }
}

/** One round of {@link runLogReaper}. */
export async function reapLogs(deps: LogsDeps): Promise<void> {
  const { cache, logStore } = deps;
  // An unfilled cache would make every stream look gone. After its first list it is only ever behind on streams that
  // have no events yet: PutLogEvents finds its stream in the same cache.
  await cache.reached(0);
  const orphans = cache.lookup("logStreams", "").filter(({ value }) => !groupOf(deps, value));
  await deleteStreams(deps, orphans);
  const now = deps.clock.now();
  for (const streamId of [...logStore.streamIds()]) {
    const [stream] = cache.lookup("logStreamsById", streamId);
    const group = stream && groupOf(deps, stream.value);
    if (group === undefined) await logStore.remove(streamId);
    else if (group.retentionInDays !== undefined) {
      await logStore.expire(streamId, retainedSince(group, now));
    }
  }
}

/** Deletes streams whose group is gone already, and their events. */
export async function deleteStreams(
  deps: LogsDeps,
  streams: readonly StoreRecord[],
): Promise<void> {
  for (let i = 0; i < streams.length; i += STREAMS_PER_TXN) {
    const batch = streams.slice(i, i + STREAMS_PER_TXN);
    await commit(
      deps,
      [],
      batch.map(({ key }) => ({ key, value: undefined })),
    );
    for (const { value } of batch) await deps.logStore.remove((value as LogStream).id);
  }
}

function groupOf({ cache }: LogsDeps, stream: unknown): LogGroup | undefined {
  const [group] = cache.lookup("logGroupsById", (stream as LogStream).groupId);
  return group?.value as LogGroup | undefined;
}

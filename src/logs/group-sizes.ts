import type { Cache, CacheChange } from "../store/cache.ts";
import type { LogStore } from "../telemetry/log-store.ts";
import { type LogGroup, type LogStream, logsKind, streamsPrefix } from "./model.ts";

export interface GroupSizesDeps {
  /** With the indexes of `indexes.ts`. */
  readonly cache: Cache;
  readonly logStore: Pick<LogStore, "stat" | "subscribe">;
}

/**
 * The bytes of groups: those of all streams that a group has. Added up once for each group that somebody asks for, and from then
 * on kept current by what comes and goes, so that asking again costs the same however many streams there are.
 */
export class GroupSizes {
  readonly #deps: GroupSizesDeps;
  /** By the group's id. */
  readonly #bytes = new Map<string, number>();

  /** Follows cache and engine for as long as they live. */
  constructor(deps: GroupSizesDeps) {
    this.#deps = deps;
    deps.logStore.subscribe((streamId, bytes) => this.#noteBytes(streamId, bytes));
    deps.cache.subscribe((changes) => {
      if (this.#bytes.size === 0) return;
      for (const change of changes) this.#noteChange(change);
    });
  }

  of(group: LogGroup): number {
    const known = this.#bytes.get(group.id);
    if (known !== undefined) return known;
    const { cache, logStore } = this.#deps;
    const streams = cache.list(streamsPrefix(group)).map(({ value }) => value as LogStream);
    const bytes = streams.reduce((sum, { id }) => sum + (logStore.stat(id)?.bytes ?? 0), 0);
    this.#bytes.set(group.id, bytes);
    return bytes;
  }

  /** Of a stream that has no record (any more) nothing is counted. */
  #noteBytes(streamId: string, bytes: number): void {
    if (this.#bytes.size === 0) return;
    const [stream] = this.#deps.cache.lookup("logStreamsById", streamId);
    if (stream !== undefined) this.#add((stream.value as LogStream).groupId, bytes);
  }

  #noteChange({ key, before, after }: CacheChange): void {
    if (before === undefined || after !== undefined) return;
    const kind = logsKind(key);
    if (kind === "groups") this.#bytes.delete((before.value as LogGroup).id);
    if (kind !== "streams") return;
    const { id, groupId } = before.value as LogStream;
    this.#add(groupId, -(this.#deps.logStore.stat(id)?.bytes ?? 0));
  }

  #add(groupId: string, bytes: number): void {
    const known = this.#bytes.get(groupId);
    if (known !== undefined) this.#bytes.set(groupId, known + bytes);
  }
}

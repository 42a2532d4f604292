import type { IndexDefinitions } from "../store/cache.ts";
import { type LogGroup, type LogStream, logsKind } from "./model.ts";

/** The cache's indexes over log groups and streams. */
export const logsIndexes: IndexDefinitions = {
  /** A group's id → the group. */
  logGroupsById: (key, value) => (logsKind(key) === "groups" ? [(value as LogGroup).id] : []),
  /** A stream's id → the stream. */
  logStreamsById: (key, value) => (logsKind(key) === "streams" ? [(value as LogStream).id] : []),
  /** `""` → every stream. */
  logStreams: (key) => (logsKind(key) === "streams" ? [""] : []),
};

import { type IndexDefinitions, indexesOf } from "../store/cache-index.ts";
import type { LogGroup, LogStream } from "./model.ts";

/** The cache's indexes over log groups and streams. */
export const logsIndexes: IndexDefinitions = {
  "logs/groups": indexesOf<LogGroup>()(["id"], {
    /** A group's id → the group. */
    logGroupsById: ({ id }) => [id],
  }),
  "logs/streams": indexesOf<LogStream>()(["id"], {
    /** A stream's id → the stream. */
    logStreamsById: ({ id }) => [id],
    /** `""` → every stream. */
    logStreams: () => [""],
  }),
};

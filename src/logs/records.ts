import type { Call } from "../door/service.ts";
import type { Scope } from "../ecs/model/keys.ts";
import { ApiError } from "../lib/errors.ts";
import { commit } from "../store/commit.ts";
import type { Compare, StoreRecord, Write } from "../store/store.ts";
import type { LogsDeps } from "./deps.ts";
import {
  groupKey,
  type LogGroup,
  type LogStream,
  parseGroupIdentifier,
  streamKey,
} from "./model.ts";
import { checkGroupName, invalidParameter } from "./validate.ts";

/** Finding groups and streams, and changing them. */

/** A record with what is in it. */
export interface Found<T> {
  readonly record: StoreRecord;
  readonly value: T;
}

export interface Decision {
  readonly compare: Compare;
  readonly also?: Compare;
  readonly write: Write;
}

/** How often a transaction is decided anew when another came between. */
const ATTEMPTS_MAX = 10;

/** Where the records of a caller lie. */
export function scopeOf(call: Call): Scope {
  return { accountId: call.principal.accountId, region: call.region };
}

/** Throws ResourceNotFoundException. */
export function getGroup({ cache }: LogsDeps, scope: Scope, name: string): Found<LogGroup> {
  const record = cache.get(groupKey(scope, name));
  if (record !== undefined) return { record, value: record.value as LogGroup };
  throw notFound("group");
}

/** Throws ResourceNotFoundException. */
export function getStream({ cache }: LogsDeps, group: LogGroup, name: string): Found<LogStream> {
  const record = cache.get(streamKey(group, name));
  if (record !== undefined) return { record, value: record.value as LogStream };
  throw notFound("stream");
}

/** The streams of a group whose names begin so: a group has one for each container that has logged into it. */
export function streamsBelow(
  { cache }: LogsDeps,
  group: LogGroup,
  namePrefix = "",
): readonly LogStream[] {
  return cache.list(streamKey(group, namePrefix)).map(({ value }) => value as LogStream);
}

/** The group that an operation means which takes either a name or an identifier. */
export function getNamedGroup(
  deps: LogsDeps,
  scope: Scope,
  input: {
    readonly logGroupName?: string | undefined;
    readonly logGroupIdentifier?: string | undefined;
  },
): LogGroup {
  const { logGroupName, logGroupIdentifier } = input;
  if ((logGroupName === undefined) === (logGroupIdentifier === undefined)) {
    throw invalidParameter("Exactly one of logGroupName and logGroupIdentifier must be specified.");
  }
  if (logGroupIdentifier === undefined) {
    return getGroup(deps, scope, checkGroupName(logGroupName)).value;
  }
  const name = parseGroupIdentifier(scope, logGroupIdentifier);
  if (name === undefined) throw notFound("group");
  return getGroup(deps, scope, checkGroupName(name, "logGroupIdentifier")).value;
}

/**
 * Commits what `decide` makes of the present state, and returns it when the cache shows it. Decides anew when another
 * transaction came between: then `decide` sees what that one left, and may throw.
 */
export async function transact<D extends Decision>(deps: LogsDeps, decide: () => D): Promise<D> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const decision = decide();
    const { compare, also, write } = decision;
    if (await commit(deps, also ? [compare, also] : [compare], [write])) return decision;
  }
  throw new ApiError(
    "OperationAbortedException",
    "Multiple concurrent requests to update the same resource were in conflict.",
  );
}

/** Replaces a group by what `change` makes of it. Throws ResourceNotFoundException, and what `change` throws. */
export async function changeGroup(
  deps: LogsDeps,
  scope: Scope,
  name: string,
  change: (group: LogGroup) => LogGroup,
): Promise<void> {
  await transact(deps, () => {
    const { record, value } = getGroup(deps, scope, name);
    return { compare: record, write: { key: record.key, value: change(value) } };
  });
}

/** AWS's error for a group or stream that does not exist. */
export function notFound(what: "group" | "stream"): ApiError {
  return new ApiError("ResourceNotFoundException", `The specified log ${what} does not exist.`);
}

/** AWS's error for a name that is taken. */
export function alreadyExists(what: "group" | "stream"): ApiError {
  return new ApiError("ResourceAlreadyExistsException", `The specified log ${what} already exists`);
}

/** Deletion protection covers the group and its streams. */
export function checkDeletable(group: LogGroup): void {
  if (!group.deletionProtectionEnabled) return;
  const message = "The log group has deletion protection enabled. Disable it before deleting.";
  throw new ApiError("ValidationException", message);
}

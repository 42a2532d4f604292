import type { Scope } from "../ecs/model/keys.ts";

/**
 * Log groups and streams as they are stored. Their events are not in the store: the telemetry engine keeps them,
 * under the stream's id.
 *
 * | key below `/<account>/<region>/logs/` | document | written by |
 * | --- | --- | --- |
 * | `groups/<name>` | LogGroup | groups.ts, retention.ts |
 * | `streams/<group id>/<name>` | LogStream | streams.ts; deleted by reaper.ts when the group is gone |
 *
 * Streams hang on the group's id, not its name: deleting the one record of the group takes all its streams out of
 * sight at once, and a group made anew under the name does not see the former's. Names are URI-encoded in keys.
 */

export interface LogGroup extends Scope {
  /** Unique for ever. */
  readonly id: string;
  readonly name: string;
  readonly logGroupClass: LogGroupClass;
  /** Undefined: events never expire. */
  readonly retentionInDays?: number;
  readonly deletionProtectionEnabled: boolean;
  readonly tags: Readonly<Record<string, string>>;
  readonly createdAt: number;
}

export interface LogStream extends Scope {
  /** Unique for ever: the engine's name for the events. */
  readonly id: string;
  readonly groupId: string;
  readonly name: string;
  readonly createdAt: number;
}

/** The classes whose features are all here. DELIVERY and ESSENTIALS promise what Gantry does not have. */
export type LogGroupClass = "STANDARD" | "INFREQUENT_ACCESS";

/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html */
export const RETENTION_DAYS: readonly number[] = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288,
  3653,
];
export const DAY_MS: number = 24 * 60 * 60 * 1000;

/** Below it: every group of a scope. */
export function groupsPrefix(scope: Scope): string {
  return `/${scope.accountId}/${scope.region}/logs/groups/`;
}
/** A group's key. */
export function groupKey(scope: Scope, name: string): string {
  return groupsPrefix(scope) + encodeURIComponent(name);
}
/** Below it: every stream of a group. */
export function streamsPrefix(group: LogGroup): string {
  return `/${group.accountId}/${group.region}/logs/streams/${group.id}/`;
}
/** A stream's key. */
export function streamKey(group: LogGroup, name: string): string {
  return streamsPrefix(group) + encodeURIComponent(name);
}

/** The kind of record a key names, if it is one of ours. */
export function logsKind(key: string): "groups" | "streams" | undefined {
  const [, , , service, kind] = key.split("/");
  return service === "logs" && (kind === "groups" || kind === "streams") ? kind : undefined;
}

/** The ARN without the trailing `:*`, as `logGroupIdentifier` takes it. */
export function groupArn(scope: Scope, name: string): string {
  return `arn:aws:logs:${scope.region}:${scope.accountId}:log-group:${name}`;
}
/** The ARN of a stream. */
export function streamArn(scope: Scope, groupName: string, streamName: string): string {
  return `${groupArn(scope, groupName)}:log-stream:${streamName}`;
}

/** The group's name in a `logGroupIdentifier`: a name, or the ARN of a group of this scope. Undefined: not of here. */
export function parseGroupIdentifier(scope: Scope, identifier: string): string | undefined {
  if (!identifier.startsWith("arn:")) return identifier;
  const prefix = groupArn(scope, "");
  return identifier.startsWith(prefix) ? identifier.slice(prefix.length) : undefined;
}

/** Events before this are expired (epoch ms). */
export function retainedSince(group: LogGroup, now: number): number {
  return group.retentionInDays === undefined ? 0 : now - group.retentionInDays * DAY_MS;
}

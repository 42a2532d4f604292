import type { Call, ConditionKeys } from "../door/service.ts";
import type { LogsDeps } from "./deps.ts";
import { groupKey, type LogGroup, parseGroupIdentifier } from "./model.ts";
import { scopeOf } from "./records.ts";

/** The members by which requests name a group and tags. */
export interface Tagged {
  readonly logGroupName?: string | undefined;
  readonly logGroupIdentifier?: string | undefined;
  readonly resourceArn?: string | undefined;
  /** To be set, or the keys of those to be taken away. */
  readonly tags?: Readonly<Record<string, string>> | readonly string[] | undefined;
  readonly tagKeys?: readonly string[] | undefined;
}

/**
 * The condition keys of CloudWatch Logs: the tags of the group, those that a request sets, and the keys of both.
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html
 */
export function tagConditions({ cache }: LogsDeps, input: Tagged, call: Call): ConditionKeys {
  const { logGroupName, logGroupIdentifier, resourceArn, tags, tagKeys } = input;
  const scope = scopeOf(call);
  const identifier = logGroupIdentifier ?? resourceArn ?? "";
  const name = logGroupName ?? parseGroupIdentifier(scope, identifier) ?? "";
  const group = cache.get(groupKey(scope, name))?.value as LogGroup | undefined;
  const isSetting = tags !== undefined && !isKeys(tags);
  const keys = isSetting ? Object.keys(tags) : (tags ?? tagKeys);
  return {
    ...prefixed("aws:ResourceTag", group?.tags ?? {}),
    ...(isSetting && prefixed("aws:RequestTag", tags)),
    ...(keys && { "aws:TagKeys": keys }),
  };
}

function isKeys(tags: NonNullable<Tagged["tags"]>): tags is readonly string[] {
  return Array.isArray(tags);
}

function prefixed(prefix: string, tags: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tags).map(([key, value]) => [`${prefix}/${key}`, value]),
  );
}

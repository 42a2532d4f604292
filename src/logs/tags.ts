import type {
  ListTagsForResourceRequest,
  ListTagsForResourceResponse,
  ListTagsLogGroupRequest,
  ListTagsLogGroupResponse,
  TagLogGroupRequest,
  TagResourceRequest,
  UntagLogGroupRequest,
  UntagResourceRequest,
} from "@aws-sdk/client-cloudwatch-logs";
import type { Call } from "../door/service.ts";
import { ApiError } from "../lib/errors.ts";
import type { LogsDeps } from "./deps.ts";
import { type LogGroup, parseGroupIdentifier } from "./model.ts";
import { changeGroup, getGroup, scopeOf } from "./records.ts";
import {
  checkGroupName,
  checkTagKeys,
  checkTags,
  constraintViolation,
  invalidParameter,
  TAGS_MAX,
} from "./validate.ts";

type Nothing = Record<never, never>;

/** Adds tags to a group by its ARN. Throws ResourceNotFoundException, InvalidParameterException, TooManyTagsException. */
export async function tagResource(
  deps: LogsDeps,
  input: TagResourceRequest,
  call: Call,
): Promise<Nothing> {
  const name = groupNameOf(input.resourceArn, call);
  const tooMany = (): Error =>
    new ApiError("TooManyTagsException", `A resource can have no more than ${TAGS_MAX} tags.`, {
      members: { resourceName: input.resourceArn },
    });
  return addTags(deps, call, name, input.tags, tooMany);
}

/** {@link tagResource} of old, by name. Throws ResourceNotFoundException, InvalidParameterException. */
export async function tagLogGroup(
  deps: LogsDeps,
  input: TagLogGroupRequest,
  call: Call,
): Promise<Nothing> {
  const name = checkGroupName(input.logGroupName);
  const tooMany = (): Error => invalidParameter(`A log group can have up to ${TAGS_MAX} tags.`);
  return addTags(deps, call, name, input.tags, tooMany);
}

/** Takes tags from a group by its ARN. Throws ResourceNotFoundException, InvalidParameterException. */
export async function untagResource(
  deps: LogsDeps,
  input: UntagResourceRequest,
  call: Call,
): Promise<Nothing> {
  return removeTags(deps, call, groupNameOf(input.resourceArn, call), input.tagKeys, "tagKeys");
}

/** {@link untagResource} of old, by name. Throws ResourceNotFoundException, InvalidParameterException. */
export async function untagLogGroup(
  deps: LogsDeps,
  input: UntagLogGroupRequest,
  call: Call,
): Promise<Nothing> {
  return removeTags(deps, call, checkGroupName(input.logGroupName), input.tags, "tags");
}

/** Throws ResourceNotFoundException, InvalidParameterException. */
export async function listTagsForResource(
  deps: LogsDeps,
  input: ListTagsForResourceRequest,
  call: Call,
): Promise<ListTagsForResourceResponse> {
  const name = groupNameOf(input.resourceArn, call);
  return { tags: { ...getGroup(deps, scopeOf(call), name).value.tags } };
}

/** Throws ResourceNotFoundException, InvalidParameterException. */
export async function listTagsLogGroup(
  deps: LogsDeps,
  input: ListTagsLogGroupRequest,
  call: Call,
): Promise<ListTagsLogGroupResponse> {
  const name = checkGroupName(input.logGroupName);
  return { tags: { ...getGroup(deps, scopeOf(call), name).value.tags } };
}

async function addTags(
  deps: LogsDeps,
  call: Call,
  name: string,
  tags: Readonly<Record<string, string>> = {},
  tooMany: () => Error,
): Promise<Nothing> {
  if (Object.keys(tags).length === 0) {
    const rule = "Member must have length greater than or equal to 1";
    throw constraintViolation("{}", "tags", rule);
  }
  checkTags(tags);
  await changeGroup(deps, scopeOf(call), name, (group) => {
    const all = { ...group.tags, ...tags };
    if (Object.keys(all).length > TAGS_MAX) throw tooMany();
    return { ...group, tags: all };
  });
  return {};
}

async function removeTags(
  deps: LogsDeps,
  call: Call,
  name: string,
  keys: readonly string[] | undefined,
  member: string,
): Promise<Nothing> {
  const gone = new Set(checkTagKeys(keys ?? [], member));
  await changeGroup(
    deps,
    scopeOf(call),
    name,
    (group): LogGroup => ({
      ...group,
      tags: Object.fromEntries(Object.entries(group.tags).filter(([key]) => !gone.has(key))),
    }),
  );
  return {};
}

/** Only groups have tags here. */
function groupNameOf(arn: string | undefined, call: Call): string {
  const scope = scopeOf(call);
  const name = arn?.startsWith("arn:") ? parseGroupIdentifier(scope, arn) : undefined;
  if (name === undefined) {
    throw invalidParameter(`The resource ARN ${arn} is not the ARN of a log group.`);
  }
  return checkGroupName(name, "resourceArn");
}

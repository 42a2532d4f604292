import type {
  CreateLogGroupRequest,
  DeleteLogGroupRequest,
  DescribeLogGroupsRequest,
  DescribeLogGroupsResponse,
  LogGroup as LogGroupOutput,
  PutLogGroupDeletionProtectionRequest,
} from "@aws-sdk/client-cloudwatch-logs";
import type { Call } from "../door/service.ts";
import type { Scope } from "../ecs/model/keys.ts";
import type { LogsDeps, LogsServiceDeps } from "./deps.ts";
import {
  groupArn,
  groupKey,
  groupsPrefix,
  type LogGroup,
  type LogGroupClass,
  parseGroupIdentifier,
  streamsPrefix,
} from "./model.ts";
import { deleteStreams } from "./reaper.ts";
import {
  alreadyExists,
  changeGroup,
  checkDeletable,
  getGroup,
  getNamedGroup,
  scopeOf,
  transact,
} from "./records.ts";
import { formatPageToken, parsePageToken } from "./tokens.ts";
import { checkGroupName, checkLimit, checkTags, invalidParameter } from "./validate.ts";

/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html */
const PAGE_MAX = 50;
const GROUP_ID_BYTES = 8;

/** Makes a group; of several at once exactly one succeeds. Throws ResourceAlreadyExistsException, InvalidParameterException. */
export async function createLogGroup(
  deps: LogsDeps,
  input: CreateLogGroupRequest,
  call: Call,
): Promise<Record<never, never>> {
  const name = checkGroupName(input.logGroupName);
  if (/^aws\//i.test(name)) {
    throw invalidParameter("Log groups starting with AWS/ are reserved for AWS.");
  }
  if (input.kmsKeyId !== undefined) {
    throw invalidParameter("The specified KMS Key Id could not be found.");
  }
  checkTags(input.tags ?? {});
  const group: LogGroup = {
    ...scopeOf(call),
    id: deps.random.hex(GROUP_ID_BYTES),
    name,
    logGroupClass: checkClass(input.logGroupClass),
    deletionProtectionEnabled: input.deletionProtectionEnabled ?? false,
    tags: { ...input.tags },
    createdAt: deps.clock.now(),
  };
  const key = groupKey(group, name);
  await transact(deps, () => {
    if (deps.cache.get(key) !== undefined) throw alreadyExists("group");
    return { compare: { key, revision: 0 }, write: { key, value: group } };
  });
  return {};
}

/** Deletes a group; its streams and events go with it. Throws ResourceNotFoundException, ValidationException when protected. */
export async function deleteLogGroup(
  deps: LogsDeps,
  input: DeleteLogGroupRequest,
  call: Call,
): Promise<Record<never, never>> {
  const scope = scopeOf(call);
  const name = checkGroupName(input.logGroupName);
  const { deleted } = await transact(deps, () => {
    const { record, value } = getGroup(deps, scope, name);
    checkDeletable(value);
    return { compare: record, write: { key: record.key, value: undefined }, deleted: value };
  });
  await deleteStreams(deps, deps.cache.list(streamsPrefix(deleted)));
  return {};
}

/** Lists the groups of the account and region in order of name. Throws InvalidParameterException. */
export async function describeLogGroups(
  deps: LogsServiceDeps,
  input: DescribeLogGroupsRequest,
  call: Call,
): Promise<DescribeLogGroupsResponse> {
  const scope = scopeOf(call);
  const limit = checkLimit(input.limit, PAGE_MAX);
  const isAsked = groupFilter(scope, input);
  const [after] = input.nextToken === undefined ? [] : parsePageToken("groups", input.nextToken, 1);
  const groups = deps.cache
    .list(groupsPrefix(scope))
    .map(({ value }) => value as LogGroup)
    .filter((group) => (after === undefined || group.name > String(after)) && isAsked(group))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const page = groups.slice(0, limit);
  const last = page.at(-1);
  const isBrief = input.logGroupNamePattern !== undefined;
  return {
    logGroups: page.map((group) => (isBrief ? presentBriefly(group) : presentGroup(deps, group))),
    ...(last && groups.length > limit && { nextToken: formatPageToken("groups", [last.name]) }),
  };
}

/** Guards a group and its streams against deletion, or no longer. Throws ResourceNotFoundException, InvalidParameterException. */
export async function putLogGroupDeletionProtection(
  deps: LogsDeps,
  input: PutLogGroupDeletionProtectionRequest,
  call: Call,
): Promise<Record<never, never>> {
  const scope = scopeOf(call);
  const { name } = getNamedGroup(deps, scope, { logGroupIdentifier: input.logGroupIdentifier });
  const deletionProtectionEnabled = input.deletionProtectionEnabled ?? false;
  await changeGroup(deps, scope, name, (group) => ({ ...group, deletionProtectionEnabled }));
  return {};
}

function checkClass(given: string | undefined): LogGroupClass {
  const logGroupClass = given ?? "STANDARD";
  if (logGroupClass === "STANDARD" || logGroupClass === "INFREQUENT_ACCESS") return logGroupClass;
  throw invalidParameter(`Log group class ${logGroupClass} is not supported.`);
}

/** What the parameters of DescribeLogGroups ask for. Throws InvalidParameterException. */
function groupFilter(
  { accountId, region }: Scope,
  input: DescribeLogGroupsRequest,
): (group: LogGroup) => boolean {
  const { logGroupNamePrefix, logGroupNamePattern, logGroupClass, logGroupIdentifiers } = input;
  if (logGroupNamePrefix !== undefined && logGroupNamePattern !== undefined) {
    throw invalidParameter(
      "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
    );
  }
  const prefix = logGroupNamePrefix && checkGroupName(logGroupNamePrefix, "logGroupNamePrefix");
  const pattern = logGroupNamePattern && checkGroupName(logGroupNamePattern, "logGroupNamePattern");
  // No account is linked to another here, so an account's view never goes beyond itself.
  const accounts = input.accountIdentifiers ?? [];
  const isOwnAsked = accounts.length === 0 || accounts.includes(accountId);
  if (logGroupIdentifiers === undefined || logGroupIdentifiers.length === 0) {
    return ({ name, logGroupClass: own }) =>
      isOwnAsked &&
      name.startsWith(prefix ?? "") &&
      name.includes(pattern ?? "") &&
      own === (logGroupClass ?? own);
  }
  if (prefix || pattern || logGroupClass) {
    throw invalidParameter("logGroupIdentifiers cannot be combined with other filters.");
  }
  const names = new Set(
    logGroupIdentifiers.map((each) => parseGroupIdentifier({ accountId, region }, each)),
  );
  return ({ name }) => isOwnAsked && names.has(name);
}

function presentGroup({ sizes }: LogsServiceDeps, group: LogGroup): LogGroupOutput {
  return {
    ...presentBriefly(group),
    ...(group.retentionInDays !== undefined && { retentionInDays: group.retentionInDays }),
    metricFilterCount: 0,
    storedBytes: sizes.of(group),
    logGroupClass: group.logGroupClass,
    logGroupArn: groupArn(group, group.name),
    deletionProtectionEnabled: group.deletionProtectionEnabled,
  };
}

/** All that AWS gives for a search by pattern. */
function presentBriefly(group: LogGroup): LogGroupOutput {
  const { name, createdAt } = group;
  return { logGroupName: name, creationTime: createdAt, arn: `${groupArn(group, name)}:*` };
}

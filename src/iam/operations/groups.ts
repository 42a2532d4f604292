import type {
  AddUserToGroupRequest,
  CreateGroupRequest,
  CreateGroupResponse,
  DeleteGroupRequest,
  GetGroupRequest,
  GetGroupResponse,
  Group as GroupOutput,
  ListGroupsForUserRequest,
  ListGroupsForUserResponse,
  ListGroupsRequest,
  ListGroupsResponse,
  RemoveUserFromGroupRequest,
  UpdateGroupRequest,
} from "@aws-sdk/client-iam";
import type { Call } from "../../door/service.ts";
import type { ApiError } from "../../lib/errors.ts";
import type { IamDeps } from "../deps.ts";
import { GROUPS_PER_USER_MAX, PER_ACCOUNT_MAX } from "../limits.ts";
import { groupArn } from "../model/arns.ts";
import { groupKey, groupsPrefix } from "../model/keys.ts";
import type { Group, User } from "../model/records.ts";
import { alreadyExists, deleteConflict, quotaExceeded } from "./errors.ts";
import { find, GROUP, USER } from "./holders.ts";
import { byName, pageOf } from "./pages.ts";
import { create, transact, unchanged, update } from "./transact.ts";
import { newUniqueId } from "./unique-id.ts";
import { presentUserBriefly } from "./users.ts";
import { checkName, checkPath, checkPathPrefix } from "./validate.ts";

/** Throws EntityAlreadyExists, LimitExceeded, ValidationError. */
export async function createGroup(
  deps: IamDeps,
  input: CreateGroupRequest,
  { principal: { accountId } }: Call,
): Promise<CreateGroupResponse> {
  const groupName = checkName(input.GroupName, "groupName");
  const group: Group = {
    accountId,
    groupName,
    groupId: newUniqueId(deps.random, "group"),
    path: checkPath(input.Path),
    inlinePolicies: [],
    attachedPolicyArns: [],
    createdAt: deps.clock.now(),
  };
  await create(deps, groupKey(accountId, groupName), groupExists(groupName), () => {
    const max = PER_ACCOUNT_MAX.GroupsPerAccount;
    if (deps.cache.list(groupsPrefix(accountId)).length >= max) {
      throw quotaExceeded("GroupsPerAccount", max);
    }
    return { value: group };
  });
  return { Group: presentGroup(group) };
}

/** With its members, in order of name. Throws NoSuchEntity. */
export async function getGroup(
  deps: IamDeps,
  input: GetGroupRequest,
  { principal: { accountId } }: Call,
): Promise<GetGroupResponse> {
  const { value: group } = find(deps, GROUP, accountId, input.GroupName);
  const users = membersOf(deps, group);
  const { items, position } = pageOf(users, input, ({ userName }) => byName(userName));
  return { Group: presentGroup(group), Users: items.map(presentUserBriefly), ...position };
}

/** In order of name. */
export async function listGroups(
  { cache }: IamDeps,
  input: ListGroupsRequest,
  { principal: { accountId } }: Call,
): Promise<ListGroupsResponse> {
  const prefix = checkPathPrefix(input.PathPrefix);
  const groups = cache
    .list(groupsPrefix(accountId))
    .map(({ value }) => value as Group)
    .filter(({ path }) => path.startsWith(prefix));
  const { items, position } = pageOf(groups, input, ({ groupName }) => byName(groupName));
  return { Groups: items.map(presentGroup), ...position };
}

/** In order of name. Throws NoSuchEntity. */
export async function listGroupsForUser(
  deps: IamDeps,
  input: ListGroupsForUserRequest,
  { principal: { accountId } }: Call,
): Promise<ListGroupsForUserResponse> {
  const groups = groupsOf(deps, find(deps, USER, accountId, input.UserName).value);
  const { items, position } = pageOf(groups, input, ({ groupName }) => byName(groupName));
  return { Groups: items.map(presentGroup), ...position };
}

/** A new name or path; members and policies stay. Throws NoSuchEntity, EntityAlreadyExists. */
export async function updateGroup(
  deps: IamDeps,
  input: UpdateGroupRequest,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  const newName = input.NewGroupName && checkName(input.NewGroupName, "newGroupName");
  const newPath = input.NewPath && checkPath(input.NewPath, "newPath");
  return transact(deps, () => {
    const { record, value } = find(deps, GROUP, accountId, input.GroupName);
    const group: Group = {
      ...value,
      groupName: newName || value.groupName,
      path: newPath || value.path,
    };
    const key = groupKey(accountId, group.groupName);
    const isMoved = key !== record.key;
    if (isMoved && deps.cache.get(key) !== undefined) throw groupExists(group.groupName)();
    return {
      compare: [record, ...(isMoved ? [{ key, revision: 0 }] : [])],
      write: [...(isMoved ? [{ key: record.key, value: undefined }] : []), { key, value: group }],
      result: {},
    };
  });
}

/** Throws NoSuchEntity, and DeleteConflict while it has members or policies. */
export async function deleteGroup(
  deps: IamDeps,
  input: DeleteGroupRequest,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  return transact(deps, () => {
    const { record, value } = find(deps, GROUP, accountId, input.GroupName);
    const inTheWay = [
      [membersOf(deps, value).length, "must remove users from group first."],
      [value.attachedPolicyArns.length, "must detach all policies first."],
      [value.inlinePolicies.length, "must delete policies first."],
    ] as const;
    const [, hint] = inTheWay.find(([count]) => count > 0) ?? [];
    if (hint !== undefined) throw deleteConflict(`Cannot delete entity, ${hint}`);
    return { compare: [record], write: [{ key: record.key, value: undefined }], result: {} };
  });
}

/** A member already: nothing to do. Throws NoSuchEntity, LimitExceeded. */
export async function addUserToGroup(
  deps: IamDeps,
  input: AddUserToGroupRequest,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  return transact(deps, () => {
    const group = find(deps, GROUP, accountId, input.GroupName);
    const { record, value: user } = find(deps, USER, accountId, input.UserName);
    const { groupId } = group.value;
    if (user.groupIds.includes(groupId)) return { compare: [], write: [], result: {} };
    if (user.groupIds.length >= GROUPS_PER_USER_MAX) {
      throw quotaExceeded("GroupsPerUser", GROUPS_PER_USER_MAX);
    }
    const member: User = { ...user, groupIds: [...user.groupIds, groupId] };
    return {
      compare: [record, group.record],
      write: [{ key: record.key, value: member }, unchanged(group.record)],
      result: {},
    };
  });
}

/** No member: nothing to do. Throws NoSuchEntity. */
export async function removeUserFromGroup(
  deps: IamDeps,
  input: RemoveUserFromGroupRequest,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  const { groupId } = find(deps, GROUP, accountId, input.GroupName).value;
  await update(
    deps,
    () => find(deps, USER, accountId, input.UserName),
    (user) =>
      user.groupIds.includes(groupId)
        ? { ...user, groupIds: user.groupIds.filter((id) => id !== groupId) }
        : user,
  );
  return {};
}

/** The groups of a user. */
export function groupsOf({ cache }: Pick<IamDeps, "cache">, user: User): readonly Group[] {
  return user.groupIds.flatMap((id) =>
    cache.lookup("iamGroupsById", id).map(({ value }) => value as Group),
  );
}

function membersOf({ cache }: IamDeps, { groupId }: Group): readonly User[] {
  return cache.lookup("iamUsersByGroup", groupId).map(({ value }) => value as User);
}

export function presentGroup(group: Group): GroupOutput {
  return {
    Path: group.path,
    GroupName: group.groupName,
    GroupId: group.groupId,
    Arn: groupArn(group),
    CreateDate: new Date(group.createdAt),
  };
}

function groupExists(groupName: string): () => ApiError {
  return () => alreadyExists(`Group with name ${groupName} already exists.`);
}

import type { Call } from "../../../door/service.ts";
import {
  createAccessKey,
  deleteAccessKey,
  getAccessKeyLastUsed,
  listAccessKeys,
  updateAccessKey,
} from "../access-keys.ts";
import { listingArn, newArn } from "../arns.ts";
import { deleteBoundary, putBoundary } from "../boundaries.ts";
import {
  addUserToGroup,
  createGroup,
  deleteGroup,
  getGroup,
  listGroups,
  listGroupsForUser,
  removeUserFromGroup,
  updateGroup,
} from "../groups.ts";
import { USER } from "../holders.ts";
import { createUser, deleteUser, getUser, listUsers, updateUser } from "../users.ts";
import { boundaryKey, everything, type IamOperations, type Rows } from "./row.ts";

interface Named {
  readonly UserName?: string | undefined;
}

/** Users and their access keys. */
export function userOperations(rows: Rows): IamOperations {
  const user = ({ UserName }: Named, call: Call): string => rows.arns.user(UserName, call);
  return {
    CreateUser: rows.full(
      "CreateUser",
      ({ Path, UserName }, call) => newArn("user", Path, UserName, call),
      createUser,
      { keys: boundaryKey, tagAction: "iam:TagUser" },
    ),
    GetUser: rows.full("GetUser", user, getUser),
    ListUsers: rows.full("ListUsers", listingArn("user"), listUsers),
    UpdateUser: rows.full("UpdateUser", user, updateUser),
    DeleteUser: rows.full("DeleteUser", user, deleteUser),
    PutUserPermissionsBoundary: rows.full(
      "PutUserPermissionsBoundary",
      user,
      (deps, { UserName: name, PermissionsBoundary: boundary }, call) =>
        putBoundary(deps, USER, { name, boundary }, call),
      { keys: boundaryKey },
    ),
    DeleteUserPermissionsBoundary: rows.full(
      "DeleteUserPermissionsBoundary",
      user,
      (deps, { UserName }, call) => deleteBoundary(deps, USER, UserName, call),
    ),
    CreateAccessKey: rows.full("CreateAccessKey", user, createAccessKey),
    ListAccessKeys: rows.full("ListAccessKeys", user, listAccessKeys),
    UpdateAccessKey: rows.full("UpdateAccessKey", user, updateAccessKey),
    DeleteAccessKey: rows.full("DeleteAccessKey", user, deleteAccessKey),
    GetAccessKeyLastUsed: rows.full("GetAccessKeyLastUsed", everything, getAccessKeyLastUsed),
  };
}

/** Groups and who is in them. */
export function groupOperations(rows: Rows): IamOperations {
  const group = ({ GroupName }: { GroupName?: string | undefined }, call: Call): string =>
    rows.arns.group(GroupName, call);
  return {
    CreateGroup: rows.full(
      "CreateGroup",
      ({ Path, GroupName }, call) => newArn("group", Path, GroupName, call),
      createGroup,
    ),
    GetGroup: rows.full("GetGroup", group, getGroup),
    ListGroups: rows.full("ListGroups", listingArn("group"), listGroups),
    UpdateGroup: rows.full("UpdateGroup", group, updateGroup),
    DeleteGroup: rows.full("DeleteGroup", group, deleteGroup),
    AddUserToGroup: rows.full("AddUserToGroup", group, addUserToGroup),
    RemoveUserFromGroup: rows.full("RemoveUserFromGroup", group, removeUserFromGroup),
    ListGroupsForUser: rows.full(
      "ListGroupsForUser",
      ({ UserName }, call) => rows.arns.user(UserName, call),
      listGroupsForUser,
    ),
  };
}

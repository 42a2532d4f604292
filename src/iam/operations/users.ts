import type {
  CreateUserRequest,
  CreateUserResponse,
  DeleteUserRequest,
  GetUserRequest,
  GetUserResponse,
  ListUsersRequest,
  ListUsersResponse,
  UpdateUserRequest,
  User as UserOutput,
} from "@aws-sdk/client-iam";
import type { Call } from "../../door/service.ts";
import type { ApiError } from "../../lib/errors.ts";
import type { StoreRecord, Write } from "../../store/store.ts";
import type { IamDeps } from "../deps.ts";
import { PER_ACCOUNT_MAX } from "../limits.ts";
import type { AccessKey } from "../model/access-key.ts";
import { rootPrincipalArn } from "../model/access-key.ts";
import { userArn } from "../model/arns.ts";
import { userKey, usersPrefix } from "../model/keys.ts";
import type { User } from "../model/records.ts";
import { boundaryMember } from "./boundaries.ts";
import { callerName } from "./caller.ts";
import { alreadyExists, deleteConflict, quotaExceeded } from "./errors.ts";
import { find, findAttachable, USER } from "./holders.ts";
import { byName, pageOf } from "./pages.ts";
import { checkTags, tagsMember } from "./tags.ts";
import { create, transact } from "./transact.ts";
import { newUniqueId } from "./unique-id.ts";
import { checkArn, checkName, checkPath, checkPathPrefix } from "./validate.ts";

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateUser.html */
const USER_NAME_LENGTH_MAX = 64;

/** Throws EntityAlreadyExists, LimitExceeded, NoSuchEntity for the boundary, ValidationError, InvalidInput. */
export async function createUser(
  deps: IamDeps,
  input: CreateUserRequest,
  { principal: { accountId } }: Call,
): Promise<CreateUserResponse> {
  const userName = checkName(input.UserName, "userName", USER_NAME_LENGTH_MAX);
  const boundary =
    input.PermissionsBoundary && checkArn(input.PermissionsBoundary, "permissionsBoundary");
  const user: User = {
    accountId,
    userName,
    userId: newUniqueId(deps.random, "user"),
    path: checkPath(input.Path),
    ...(boundary && { permissionsBoundary: boundary }),
    groupIds: [],
    inlinePolicies: [],
    attachedPolicyArns: [],
    tags: checkTags(input.Tags),
    createdAt: deps.clock.now(),
  };
  await create(deps, userKey(accountId, userName), userExists(userName), () => {
    const max = PER_ACCOUNT_MAX.UsersPerAccount;
    if (deps.cache.list(usersPrefix(accountId)).length >= max) {
      throw quotaExceeded("UsersPerAccount", max);
    }
    const policy = boundary && findAttachable(deps, accountId, boundary).record;
    return { value: user, also: policy ? [policy] : [] };
  });
  return { User: presentUser(user) };
}

/** The named user, or the caller. Throws NoSuchEntity, ValidationError. */
export async function getUser(
  deps: IamDeps,
  input: GetUserRequest,
  call: Call,
): Promise<GetUserResponse> {
  const { principal } = call;
  if (input.UserName === undefined && principal.kind === "root") {
    return { User: presentRoot(deps, principal.accountId) };
  }
  const name = input.UserName ?? callerName(call);
  return { User: presentUser(find(deps, USER, principal.accountId, name).value) };
}

/** In order of name. */
export async function listUsers(
  { cache }: IamDeps,
  input: ListUsersRequest,
  { principal: { accountId } }: Call,
): Promise<ListUsersResponse> {
  const prefix = checkPathPrefix(input.PathPrefix);
  const users = cache
    .list(usersPrefix(accountId))
    .map(({ value }) => value as User)
    .filter(({ path }) => path.startsWith(prefix));
  const { items, position } = pageOf(users, input, ({ userName }) => byName(userName));
  return { Users: items.map(presentUserBriefly), ...position };
}

/** A new name or path; what the user has and belongs to stays, its access keys too. Throws NoSuchEntity, EntityAlreadyExists. */
export async function updateUser(
  deps: IamDeps,
  input: UpdateUserRequest,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  const { NewUserName, NewPath } = input;
  const newName = NewUserName && checkName(NewUserName, "newUserName", USER_NAME_LENGTH_MAX);
  const newPath = NewPath && checkPath(NewPath, "newPath");
  return transact(deps, () => {
    const { record, value } = find(deps, USER, accountId, input.UserName);
    const user: User = {
      ...value,
      userName: newName || value.userName,
      path: newPath || value.path,
    };
    const key = userKey(accountId, user.userName);
    const isMoved = key !== record.key;
    if (isMoved && deps.cache.get(key) !== undefined) throw userExists(user.userName)();
    const keys = accessKeysOf(deps, value);
    const moved: Write[] = keys.map(({ key: at, value: accessKey }) => ({
      key: at,
      value: { ...(accessKey as AccessKey), principalArn: userArn(user) },
    }));
    return {
      compare: [record, ...keys, ...(isMoved ? [{ key, revision: 0 }] : [])],
      write: [
        ...(isMoved ? [{ key: record.key, value: undefined }] : []),
        { key, value: user },
        ...moved,
      ],
      result: {},
    };
  });
}

/** Throws NoSuchEntity, and DeleteConflict while it holds anything. */
export async function deleteUser(
  deps: IamDeps,
  input: DeleteUserRequest,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  return transact(deps, () => {
    const { record, value } = find(deps, USER, accountId, input.UserName);
    const inTheWay = [
      [value.attachedPolicyArns.length, "must detach all policies first."],
      [value.inlinePolicies.length, "must delete policies first."],
      [value.groupIds.length, "must remove users from group first."],
      [accessKeysOf(deps, value).length, "must delete access keys first."],
    ] as const;
    const [, hint] = inTheWay.find(([count]) => count > 0) ?? [];
    if (hint !== undefined) throw deleteConflict(`Cannot delete entity, ${hint}`);
    return { compare: [record], write: [{ key: record.key, value: undefined }], result: {} };
  });
}

/** The records of a user's access keys. */
export function accessKeysOf(
  { cache }: Pick<IamDeps, "cache">,
  user: User,
): readonly StoreRecord[] {
  return cache.lookup("iamAccessKeysByOwner", userArn(user));
}

export function presentUser(user: User): UserOutput {
  return { ...presentUserBriefly(user), ...boundaryMember(user), ...tagsMember(user.tags) };
}

/** As listings show it. */
export function presentUserBriefly(user: User): UserOutput {
  return {
    Path: user.path,
    UserName: user.userName,
    UserId: user.userId,
    Arn: userArn(user),
    CreateDate: new Date(user.createdAt),
  };
}

/** AWS gives the root neither name nor path, though the type asks for both. */
function presentRoot({ cache }: IamDeps, accountId: string): UserOutput {
  const arn = rootPrincipalArn(accountId);
  const [key] = cache.lookup("iamAccessKeysByOwner", arn);
  const createdAt = (key?.value as AccessKey | undefined)?.createdAt ?? 0;
  const root = { UserId: accountId, Arn: arn, CreateDate: new Date(createdAt) };
  return root as UserOutput;
}

function userExists(userName: string): () => ApiError {
  return () => alreadyExists(`User with name ${userName} already exists.`);
}

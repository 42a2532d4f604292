import type {
  CreateAccessKeyRequest,
  CreateAccessKeyResponse,
  DeleteAccessKeyRequest,
  GetAccessKeyLastUsedRequest,
  GetAccessKeyLastUsedResponse,
  ListAccessKeysRequest,
  ListAccessKeysResponse,
  UpdateAccessKeyRequest,
} from "@aws-sdk/client-iam";
import type { Call } from "../../door/service.ts";
import type { IamDeps } from "../deps.ts";
import type { LastUses } from "../last-uses.ts";
import { ACCESS_KEYS_PER_USER_MAX } from "../limits.ts";
import {
  type AccessKey,
  accessKeyKey,
  formatAccessKeyId,
  formatSecretAccessKey,
} from "../model/access-key.ts";
import { parseIamArn, userArn } from "../model/arns.ts";
import { lastUsedKey } from "../model/keys.ts";
import { callerName } from "./caller.ts";
import { accessDenied, invalidInput, noSuchEntity, quotaExceeded } from "./errors.ts";
import { find, USER } from "./holders.ts";
import { pageOf } from "./pages.ts";
import { type Found, transact, unchanged, update } from "./transact.ts";
import { accessKeysOf } from "./users.ts";
import { checkLength } from "./validate.ts";

/** The access keys of users. Those of a root and of machines are made elsewhere, and only listed here. */

/** The answer is the only place where the secret is ever told. Throws NoSuchEntity, LimitExceeded. */
export async function createAccessKey(
  deps: IamDeps,
  input: CreateAccessKeyRequest,
  call: Call,
): Promise<CreateAccessKeyResponse> {
  const { principal } = call;
  if (input.UserName === undefined && principal.kind === "root") throw rootKeyIsSet();
  const name = input.UserName ?? callerName(call);
  const { accountId } = principal;
  const key = await transact(deps, () => {
    const { record, value: user } = find(deps, USER, accountId, name);
    if (accessKeysOf(deps, user).length >= ACCESS_KEYS_PER_USER_MAX) {
      throw quotaExceeded("AccessKeysPerUser", ACCESS_KEYS_PER_USER_MAX);
    }
    const made: AccessKey = {
      accessKeyId: formatAccessKeyId(deps.random.bytes(16)),
      secretAccessKey: formatSecretAccessKey(deps.random.bytes(30)),
      accountId,
      principalArn: userArn(user),
      kind: "user",
      userId: user.userId,
      status: "Active",
      createdAt: deps.clock.now(),
    };
    const at = accessKeyKey(made.accessKeyId);
    return {
      // The user is written too, so that no second call counts the same keys, and no deletion passes by.
      compare: [record, { key: at, revision: 0 }],
      write: [{ key: at, value: made }, unchanged(record)],
      result: made,
    };
  });
  const { accessKeyId, secretAccessKey, status, createdAt } = key;
  return {
    AccessKey: {
      UserName: userNameOf(key),
      AccessKeyId: accessKeyId,
      Status: status,
      SecretAccessKey: secretAccessKey,
      CreateDate: new Date(createdAt),
    },
  };
}

/** Of the named user, or of the caller. Throws NoSuchEntity. */
export async function listAccessKeys(
  deps: IamDeps,
  input: ListAccessKeysRequest,
  call: Call,
): Promise<ListAccessKeysResponse> {
  const { arn, accountId, kind } = call.principal;
  const isRoots = input.UserName === undefined && kind === "root";
  const records = isRoots
    ? deps.cache.lookup("iamAccessKeysByOwner", arn)
    : accessKeysOf(deps, find(deps, USER, accountId, input.UserName ?? callerName(call)).value);
  const keys = records.map(({ value }) => value as AccessKey);
  const { items, position } = pageOf(keys, input, ({ accessKeyId }) => accessKeyId);
  const metadata = items.map((key) => ({
    ...(!isRoots && { UserName: userNameOf(key) }),
    AccessKeyId: key.accessKeyId,
    Status: key.status,
    CreateDate: new Date(key.createdAt),
  }));
  return { AccessKeyMetadata: metadata, ...position };
}

/** Takes effect on the key's next request. Throws NoSuchEntity. */
export async function updateAccessKey(
  deps: IamDeps,
  input: UpdateAccessKeyRequest,
  call: Call,
): Promise<Record<never, never>> {
  const status = input.Status;
  if (status !== "Active" && status !== "Inactive") {
    throw invalidInput(`A key can be made Active or Inactive, not ${status}.`);
  }
  await update(
    deps,
    () => findKey(deps, input, call),
    (key) => (key.status === status ? key : { ...key, status }),
  );
  return {};
}

/** The key's next request is refused. Throws NoSuchEntity. */
export async function deleteAccessKey(
  deps: IamDeps,
  input: DeleteAccessKeyRequest,
  call: Call,
): Promise<Record<never, never>> {
  return transact(deps, () => {
    const { record, value } = findKey(deps, input, call);
    return {
      compare: [record],
      write: [record.key, lastUsedKey(value.accessKeyId)].map((key) => ({ key, value: undefined })),
      result: {},
    };
  });
}

/** When a key of the account was last seen, to within some minutes. Throws NoSuchEntity. */
export async function getAccessKeyLastUsed(
  deps: IamDeps & { readonly lastUses: LastUses },
  input: GetAccessKeyLastUsedRequest,
  { principal: { accountId } }: Call,
): Promise<GetAccessKeyLastUsedResponse> {
  const accessKeyId = checkKeyId(input.AccessKeyId);
  const key = deps.cache.get(accessKeyKey(accessKeyId))?.value as AccessKey | undefined;
  if (key === undefined || key.accountId !== accountId) throw keyNotFound(accessKeyId);
  const last = deps.lastUses.of(accessKeyId);
  return {
    ...(key.kind === "user" && { UserName: userNameOf(key) }),
    AccessKeyLastUsed: {
      ...(last && { LastUsedDate: new Date(last.at) }),
      ServiceName: last?.serviceName ?? "N/A",
      Region: last?.region ?? "N/A",
    },
  };
}

function findKey(
  deps: IamDeps,
  input: { readonly UserName?: string | undefined; readonly AccessKeyId: string | undefined },
  call: Call,
): Found<AccessKey> {
  const accessKeyId = checkKeyId(input.AccessKeyId);
  const { accountId, kind } = call.principal;
  if (input.UserName === undefined && kind === "root") throw rootKeyIsSet();
  const { value: user } = find(deps, USER, accountId, input.UserName ?? callerName(call));
  const record = accessKeysOf(deps, user).find(({ key }) => key === accessKeyKey(accessKeyId));
  if (record === undefined) throw keyNotFound(accessKeyId);
  return { record, value: record.value as AccessKey };
}

function checkKeyId(accessKeyId: string | undefined): string {
  return checkLength(accessKeyId ?? "", "accessKeyId", 16, 128);
}

function userNameOf({ principalArn }: AccessKey): string {
  return parseIamArn(principalArn)?.name ?? "";
}

function keyNotFound(accessKeyId: string): Error {
  return noSuchEntity(`The Access Key with id ${accessKeyId} cannot be found.`);
}

function rootKeyIsSet(): Error {
  return accessDenied(
    "The root user's access key is set where the server is started, not through IAM. Name a user.",
  );
}

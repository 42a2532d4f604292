import { ApiError } from "../../lib/errors.ts";
import type { StoreRecord } from "../../store/store.ts";
import { findAwsPolicy } from "../aws-policies/table.ts";
import type { IamDeps } from "../deps.ts";
import { groupArn, parseIamArn, policyArn, roleArn, userArn } from "../model/arns.ts";
import { groupKey, policyKey, roleKey, userKey } from "../model/keys.ts";
import type { Group, ManagedPolicy, PolicyHolder, Role, User } from "../model/records.ts";
import { noSuchEntity, unmodifiable } from "./errors.ts";
import type { Found } from "./transact.ts";
import { checkArnForm, checkName } from "./validate.ts";

/** Finding users, groups, roles and managed policies, and what is the same for the three that hold policies. */

export interface HolderType<T extends PolicyHolder> {
  readonly name: "user" | "group" | "role";
  /** The member that names one in an input. */
  readonly member: string;
  /** What AWS calls the number of policies that may be attached to one. */
  readonly quota: string;
  readonly key: (accountId: string, name: string) => string;
  readonly arn: (holder: T) => string;
  readonly nameOf: (holder: T) => string;
}

export const USER: HolderType<User> = {
  name: "user",
  member: "userName",
  quota: "PoliciesPerUser",
  key: userKey,
  arn: userArn,
  nameOf: ({ userName }) => userName,
};
export const GROUP: HolderType<Group> = {
  name: "group",
  member: "groupName",
  quota: "PoliciesPerGroup",
  key: groupKey,
  arn: groupArn,
  nameOf: ({ groupName }) => groupName,
};
export const ROLE: HolderType<Role> = {
  name: "role",
  member: "roleName",
  quota: "PoliciesPerRole",
  key: roleKey,
  arn: roleArn,
  nameOf: ({ roleName }) => roleName,
};

/** Throws NoSuchEntity, ValidationError. */
export function find<T extends PolicyHolder>(
  { cache }: Pick<IamDeps, "cache">,
  type: HolderType<T>,
  accountId: string,
  name: string | undefined,
): Found<T> {
  const checked = checkName(name, type.member);
  const record = cache.get(type.key(accountId, checked));
  if (record !== undefined) return { record, value: record.value as T };
  throw noSuchEntity(`The ${type.name} with name ${checked} cannot be found.`);
}

/** One whose policies and settings the caller may change. Throws UnmodifiableEntity for a service-linked role. */
export function findModifiable<T extends PolicyHolder>(
  deps: Pick<IamDeps, "cache">,
  type: HolderType<T>,
  accountId: string,
  name: string | undefined,
): Found<T> {
  const found = find(deps, type, accountId, name);
  if (isServiceLinked(found.value)) throw unmodifiable(type.nameOf(found.value));
  return found;
}

/** Roles of this path are made, changed and deleted by their services only. */
export function isServiceLinked({ path }: PolicyHolder): boolean {
  return path.startsWith("/aws-service-role/");
}

/** A managed policy that can be attached: AWS's have no record, and stay for ever. */
export interface Attachable {
  readonly arn: string;
  readonly name: string;
  readonly record: StoreRecord | undefined;
}

/** The policy of that ARN, of the account or AWS's. Throws NoSuchEntity, InvalidInput, PolicyNotAttachable. */
export function findAttachable(
  { cache }: Pick<IamDeps, "cache">,
  accountId: string,
  arn: string,
): Attachable {
  const aws = findAwsPolicy(checkArnForm(arn));
  if (aws?.path === "/aws-service-role/") {
    throw new ApiError(
      "PolicyNotAttachableException",
      "Cannot attach a Service Role Policy to a Customer Role.",
    );
  }
  if (aws !== undefined) return { arn, name: aws.name, record: undefined };
  const parsed = parseIamArn(arn);
  if (parsed?.type === "policy" && parsed.accountId === accountId) {
    const record = cache.get(policyKey(accountId, parsed.name));
    const policy = record?.value as ManagedPolicy | undefined;
    if (policy && policyArn(policy) === arn) return { arn, name: policy.policyName, record };
  }
  throw notAttachable(arn);
}

/** The account's own policy of that ARN. Throws NoSuchEntity, also for AWS's. */
export function findOwnPolicy(
  deps: Pick<IamDeps, "cache">,
  accountId: string,
  arn: string,
): Found<ManagedPolicy> {
  const parsed = parseIamArn(checkArnForm(arn));
  const record =
    parsed?.type === "policy" && parsed.accountId === accountId
      ? deps.cache.get(policyKey(accountId, parsed.name))
      : undefined;
  const value = record?.value as ManagedPolicy | undefined;
  if (record && value && policyArn(value) === arn) return { record, value };
  throw policyNotFound(arn);
}

export function policyNotFound(arn: string): ApiError {
  return noSuchEntity(`Policy ${arn} was not found.`);
}

function notAttachable(arn: string): ApiError {
  return noSuchEntity(`Policy ${arn} does not exist or is not attachable.`);
}

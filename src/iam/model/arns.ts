import type { Group, InstanceProfile, ManagedPolicy, OidcProvider, Role, User } from "./records.ts";

/** ARNs of IAM: `arn:aws:iam::<account>:<type>/<path><name>`. They have no region. */

/** The account of AWS's own policies, as it stands in their ARNs. */
export const AWS_ACCOUNT = "aws";

export function iamArn(accountId: string, type: string, path: string, name: string): string {
  return `arn:aws:iam::${accountId}:${type}${path}${name}`;
}

export function userArn({ accountId, path, userName }: Names<User, "userName">): string {
  return iamArn(accountId, "user", path, userName);
}
export function groupArn({ accountId, path, groupName }: Names<Group, "groupName">): string {
  return iamArn(accountId, "group", path, groupName);
}
export function roleArn({ accountId, path, roleName }: Names<Role, "roleName">): string {
  return iamArn(accountId, "role", path, roleName);
}
export function policyArn(policy: Names<ManagedPolicy, "policyName">): string {
  return iamArn(policy.accountId, "policy", policy.path, policy.policyName);
}
export function instanceProfileArn(profile: Names<InstanceProfile, "instanceProfileName">): string {
  return iamArn(profile.accountId, "instance-profile", profile.path, profile.instanceProfileName);
}
export function oidcProviderArn({
  accountId,
  url,
}: Pick<OidcProvider, "accountId" | "url">): string {
  return iamArn(accountId, "oidc-provider", "/", url);
}

type Names<T extends { accountId: string; path: string }, N extends keyof T> = Pick<
  T,
  "accountId" | "path" | N
>;

/** An ARN of IAM, taken apart. */
export interface IamArn {
  readonly accountId: string;
  /** `user`, `role`, `policy`, … */
  readonly type: string;
  /** `/` or `/…/`. */
  readonly path: string;
  readonly name: string;
}

/** Undefined for whatever else; `arn:aws:iam::<account>:root` has no name and is none either. */
export function parseIamArn(arn: string): IamArn | undefined {
  const match = /^arn:aws:iam::(\d{12}|aws):([a-z-]+)(\/(?:.*\/)?)([^/]+)$/s.exec(arn);
  if (match === null) return undefined;
  const [, accountId = "", type = "", path = "", name = ""] = match;
  return { accountId, type, path, name };
}

/** The role's name and the session's in `arn:aws:sts::<account>:assumed-role/<role>/<session>`. */
export function parseSessionArn(
  arn: string,
): { readonly accountId: string; readonly roleName: string; readonly session: string } | undefined {
  const match = /^arn:aws:sts::(\d{12}):assumed-role\/([^/]+)\/([^/]+)$/.exec(arn);
  if (match === null) return undefined;
  const [, accountId = "", roleName = "", session = ""] = match;
  return { accountId, roleName, session };
}

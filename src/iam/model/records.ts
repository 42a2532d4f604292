/** The documents of IAM as they are stored; `keys.ts` says where, and who writes them. Times are epoch milliseconds. */

import { assert } from "../../lib/errors.ts";

export type Tags = Readonly<Record<string, string>>;

/** What a user, a group and a role have in common: policies embedded in it, and managed ones attached to it. */
export interface PolicyHolder {
  readonly accountId: string;
  /** `/` or `/…/`. */
  readonly path: string;
  /** In order of their names. */
  readonly inlinePolicies: readonly InlinePolicy[];
  /** In the order of attaching. */
  readonly attachedPolicyArns: readonly string[];
  readonly createdAt: number;
}

export interface InlinePolicy {
  readonly policyName: string;
  /** The document as it was put. */
  readonly document: string;
}

export interface User extends PolicyHolder {
  readonly userName: string;
  /** `AIDA…`: of this user alone, also among those who had the name before or get it later. */
  readonly userId: string;
  /** ARN of a managed policy. */
  readonly permissionsBoundary?: string | undefined;
  /** Membership is written here and nowhere else. */
  readonly groupIds: readonly string[];
  readonly tags: Tags;
}

export interface Group extends PolicyHolder {
  readonly groupName: string;
  /** `AGPA…`. */
  readonly groupId: string;
}

export interface Role extends PolicyHolder {
  readonly roleName: string;
  /** `AROA…`. */
  readonly roleId: string;
  /** Who may assume it: the document as it was put. */
  readonly trustPolicy: string;
  readonly description: string;
  readonly maxSessionDurationSeconds: number;
  /** ARN of a managed policy. */
  readonly permissionsBoundary?: string | undefined;
  readonly tags: Tags;
}

/** A policy that the account has made. Those of AWS are a table in code: `aws-policies/`. */
export interface ManagedPolicy {
  readonly accountId: string;
  readonly policyName: string;
  /** `ANPA…`. */
  readonly policyId: string;
  readonly path: string;
  readonly description: string;
  /** The oldest first. */
  readonly versions: readonly PolicyVersion[];
  readonly defaultVersionId: string;
  /** Numbers of deleted versions do not come again. */
  readonly lastVersionNumber: number;
  readonly tags: Tags;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** The document that counts wherever the policy is attached. */
export function defaultDocument({ versions, defaultVersionId }: ManagedPolicy): string {
  const version = versions.find(({ versionId }) => versionId === defaultVersionId);
  assert(
    version !== undefined,
    `a managed policy has lost its default version ${defaultVersionId}`,
  );
  return version.document;
}

export interface PolicyVersion {
  /** `v1`, `v2`, … */
  readonly versionId: string;
  readonly document: string;
  readonly createdAt: number;
}

export interface InstanceProfile {
  readonly accountId: string;
  readonly instanceProfileName: string;
  /** `AIPA…`. */
  readonly instanceProfileId: string;
  readonly path: string;
  /** At most one. */
  readonly roleNames: readonly string[];
  readonly tags: Tags;
  readonly createdAt: number;
}

/** An identity provider whose tokens AssumeRoleWithWebIdentity takes. */
export interface OidcProvider {
  readonly accountId: string;
  /** Host and path, without `https://`, as in the ARN. */
  readonly url: string;
  /** The audiences that a token may be for. */
  readonly clientIds: readonly string[];
  /** SHA-1 of certificates, in lower-case hex. */
  readonly thumbprints: readonly string[];
  readonly tags: Tags;
  readonly createdAt: number;
}

/** What became of a DeleteServiceLinkedRole. */
export interface RoleDeletion {
  readonly accountId: string;
  readonly taskId: string;
  readonly status: "SUCCEEDED" | "FAILED";
  /** Of a failure: what stands in the way, and where. */
  readonly reason?: string | undefined;
  readonly usage?: readonly { readonly region: string; readonly resources: readonly string[] }[];
  readonly endedAt: number;
}

/** Below the account and below the alias, so that neither has two. */
export interface AccountAlias {
  readonly accountId: string;
  readonly alias: string;
}

/** When an access key or a role was last used, to within some minutes. */
export interface LastUsed {
  /** The access key's, or `AROA…`. */
  readonly id: string;
  readonly at: number;
  readonly region: string;
  /** The service's signing name: `ecs`, `logs`, … */
  readonly serviceName: string;
}

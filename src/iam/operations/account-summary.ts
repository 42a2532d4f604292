import type { GetAccountSummaryResponse } from "@aws-sdk/client-iam";
import type { Call } from "../../door/service.ts";
import type { IamDeps } from "../deps.ts";
import {
  ACCESS_KEYS_PER_USER_MAX,
  ATTACHED_POLICIES_MAX,
  GROUPS_PER_USER_MAX,
  INLINE_POLICIES_SIZE_MAX,
  MANAGED_POLICY_SIZE_MAX,
  PER_ACCOUNT_MAX,
  POLICY_VERSIONS_MAX,
  TRUST_POLICY_SIZE_MAX,
} from "../limits.ts";
import { rootPrincipalArn } from "../model/access-key.ts";
import {
  groupsPrefix,
  instanceProfilesPrefix,
  oidcProvidersPrefix,
  policiesPrefix,
  rolesPrefix,
  usersPrefix,
} from "../model/keys.ts";
import type { ManagedPolicy } from "../model/records.ts";

/** What an account has, and how much of it there may be. */
export async function getAccountSummary(
  { cache }: IamDeps,
  _input: Record<never, never>,
  { principal: { accountId } }: Call,
): Promise<GetAccountSummaryResponse> {
  const count = (prefix: string): number => cache.list(prefix).length;
  const policies = cache.list(policiesPrefix(accountId));
  const versions = policies.map(({ value }) => (value as ManagedPolicy).versions.length);
  const rootKeys = cache.lookup("iamAccessKeysByOwner", rootPrincipalArn(accountId));
  const has = {
    Users: count(usersPrefix(accountId)),
    Groups: count(groupsPrefix(accountId)),
    Roles: count(rolesPrefix(accountId)),
    Policies: policies.length,
    PolicyVersionsInUse: versions.reduce((sum, each) => sum + each, 0),
    InstanceProfiles: count(instanceProfilesPrefix(accountId)),
    Providers: count(oidcProvidersPrefix(accountId)),
    AccountAccessKeysPresent: rootKeys.length,
    AccountMFAEnabled: 0,
    AccountPasswordPresent: 0,
    AccountSigningCertificatesPresent: 0,
    MFADevices: 0,
    MFADevicesInUse: 0,
    ServerCertificates: 0,
    GlobalEndpointTokenVersion: 1,
  };
  return { SummaryMap: { ...has, ...QUOTAS } };
}

const QUOTAS = {
  UsersQuota: PER_ACCOUNT_MAX.UsersPerAccount,
  GroupsQuota: PER_ACCOUNT_MAX.GroupsPerAccount,
  RolesQuota: PER_ACCOUNT_MAX.RolesPerAccount,
  PoliciesQuota: PER_ACCOUNT_MAX.PoliciesPerAccount,
  InstanceProfilesQuota: PER_ACCOUNT_MAX.InstanceProfilesPerAccount,
  PolicyVersionsInUseQuota: PER_ACCOUNT_MAX.PoliciesPerAccount * POLICY_VERSIONS_MAX,
  VersionsPerPolicyQuota: POLICY_VERSIONS_MAX,
  PolicySizeQuota: MANAGED_POLICY_SIZE_MAX,
  UserPolicySizeQuota: INLINE_POLICIES_SIZE_MAX.user,
  GroupPolicySizeQuota: INLINE_POLICIES_SIZE_MAX.group,
  RolePolicySizeQuota: INLINE_POLICIES_SIZE_MAX.role,
  AssumeRolePolicySizeQuota: TRUST_POLICY_SIZE_MAX,
  AttachedPoliciesPerUserQuota: ATTACHED_POLICIES_MAX,
  AttachedPoliciesPerGroupQuota: ATTACHED_POLICIES_MAX,
  AttachedPoliciesPerRoleQuota: ATTACHED_POLICIES_MAX,
  GroupsPerUserQuota: GROUPS_PER_USER_MAX,
  AccessKeysPerUserQuota: ACCESS_KEYS_PER_USER_MAX,
} as const;

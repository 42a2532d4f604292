import { type IndexDefinitions, indexesOf } from "../store/cache-index.ts";
import type { AccessKey } from "./model/access-key.ts";
import type { Group, InstanceProfile, Role, User } from "./model/records.ts";

/** `<account>/<ARN of a managed policy>`: AWS's policies are the same for all accounts, their attachments are not. */
export function attachmentOf(accountId: string, policyArn: string): string {
  return `${accountId}/${policyArn}`;
}

const attachments = (holder: { accountId: string; attachedPolicyArns: readonly string[] }) =>
  holder.attachedPolicyArns.map((arn) => attachmentOf(holder.accountId, arn));

const boundary = (holder: { accountId: string; permissionsBoundary?: string | undefined }) =>
  holder.permissionsBoundary === undefined
    ? []
    : [attachmentOf(holder.accountId, holder.permissionsBoundary)];

/** The cache's indexes over IAM's records. */
export const iamIndexes: IndexDefinitions = {
  "iam/users": indexesOf<User>()(
    ["accountId", "userId", "attachedPolicyArns", "permissionsBoundary", "groupIds"],
    {
      /** `AIDA…` → the user. */
      iamUsersById: ({ userId }) => [userId],
      /** A group's id → its members. */
      iamUsersByGroup: ({ groupIds }) => groupIds,
      /** {@link attachmentOf} → the users to whom the policy is attached, … */
      iamUsersByPolicy: attachments,
      /** … and those whom it bounds. */
      iamUsersByBoundary: boundary,
    },
  ),
  "iam/groups": indexesOf<Group>()(["accountId", "groupId", "attachedPolicyArns"], {
    /** `AGPA…` → the group. */
    iamGroupsById: ({ groupId }) => [groupId],
    iamGroupsByPolicy: attachments,
  }),
  "iam/roles": indexesOf<Role>()(
    ["accountId", "roleId", "attachedPolicyArns", "permissionsBoundary"],
    {
      /** `AROA…` → the role. */
      iamRolesById: ({ roleId }) => [roleId],
      iamRolesByPolicy: attachments,
      iamRolesByBoundary: boundary,
    },
  ),
  "iam/instance-profiles": indexesOf<InstanceProfile>()(["accountId", "roleNames"], {
    /** `<account>/<role's name>` → the profiles that hold it. */
    iamProfilesByRole: ({ accountId, roleNames }) =>
      roleNames.map((name) => `${accountId}/${name}`),
  }),
  "iam/access-keys": indexesOf<AccessKey>()(["principalArn"], {
    /** The ARN of a user (or root, or machine) → its keys. */
    iamAccessKeysByOwner: ({ principalArn }) => [principalArn],
  }),
};

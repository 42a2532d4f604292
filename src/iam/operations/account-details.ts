import type {
  GetAccountAuthorizationDetailsRequest,
  GetAccountAuthorizationDetailsResponse,
  GroupDetail,
  ManagedPolicyDetail,
  PolicyDetail,
  RoleDetail,
  UserDetail,
} from "@aws-sdk/client-iam";
import type { Call } from "../../door/service.ts";
import { listAwsPolicies } from "../aws-policies/table.ts";
import type { IamDeps } from "../deps.ts";
import type { LastUses } from "../last-uses.ts";
import { groupsPrefix, policiesPrefix, rolesPrefix, usersPrefix } from "../model/keys.ts";
import type { Group, ManagedPolicy, PolicyHolder, Role, User } from "../model/records.ts";
import { presentAttached } from "./attached-policies.ts";
import { boundaryMember } from "./boundaries.ts";
import { encodeDocument } from "./documents.ts";
import { groupsOf, presentGroup } from "./groups.ts";
import { presentProfile, profilesOf } from "./instance-profiles.ts";
import { pageOf } from "./pages.ts";
import { presentAwsPolicy, presentPolicy } from "./policies.ts";
import { presentAwsVersion, presentVersion } from "./policy-versions.ts";
import { lastUsedMember, presentRole } from "./roles.ts";
import { tagsMember } from "./tags.ts";
import { presentUserBriefly } from "./users.ts";

type Deps = IamDeps & { readonly lastUses: LastUses };

/** One thing of the listing, which goes through all kinds. `key` puts it in its place. */
type Detail = { readonly key: string } & (
  | { readonly kind: "User"; readonly user: () => UserDetail }
  | { readonly kind: "Group"; readonly group: () => GroupDetail }
  | { readonly kind: "Role"; readonly role: () => RoleDetail }
  | {
      readonly kind: "LocalManagedPolicy" | "AWSManagedPolicy";
      readonly policy: () => ManagedPolicyDetail;
    }
);

/** Everything of the account that has to do with rights, page by page; of AWS's policies those in use. */
export async function getAccountAuthorizationDetails(
  deps: Deps,
  input: GetAccountAuthorizationDetailsRequest,
  { principal: { accountId } }: Call,
): Promise<GetAccountAuthorizationDetailsResponse> {
  const { Filter: filter = [] } = input;
  const details = listDetails(deps, accountId).filter(
    ({ kind }) => filter.length === 0 || filter.includes(kind),
  );
  const { items, position } = pageOf(details, input, ({ key }) => key);
  return {
    UserDetailList: items.flatMap((each) => (each.kind === "User" ? [each.user()] : [])),
    GroupDetailList: items.flatMap((each) => (each.kind === "Group" ? [each.group()] : [])),
    RoleDetailList: items.flatMap((each) => (each.kind === "Role" ? [each.role()] : [])),
    Policies: items.flatMap((each) => ("policy" in each ? [each.policy()] : [])),
    ...position,
  };
}

function listDetails(deps: Deps, accountId: string): readonly Detail[] {
  const { cache } = deps;
  return [
    ...cache.list(usersPrefix(accountId)).map(({ key, value }): Detail => {
      return { key, kind: "User", user: () => userDetail(deps, value as User) };
    }),
    ...cache.list(groupsPrefix(accountId)).map(({ key, value }): Detail => {
      return { key, kind: "Group", group: () => groupDetail(value as Group) };
    }),
    ...cache.list(rolesPrefix(accountId)).map(({ key, value }): Detail => {
      return { key, kind: "Role", role: () => roleDetail(deps, value as Role) };
    }),
    ...cache.list(policiesPrefix(accountId)).map(({ key, value }): Detail => {
      const policy = () => policyDetail(deps, value as ManagedPolicy);
      return { key, kind: "LocalManagedPolicy", policy };
    }),
    ...awsPolicyDetails(deps, accountId),
  ];
}

function userDetail(deps: Deps, user: User): UserDetail {
  return {
    ...presentUserBriefly(user),
    UserPolicyList: inlineDetails(user),
    GroupList: groupsOf(deps, user).map(({ groupName }) => groupName),
    AttachedManagedPolicies: user.attachedPolicyArns.map(presentAttached),
    ...boundaryMember(user),
    ...tagsMember(user.tags),
  };
}

function groupDetail(group: Group): GroupDetail {
  return {
    ...presentGroup(group),
    GroupPolicyList: inlineDetails(group),
    AttachedManagedPolicies: group.attachedPolicyArns.map(presentAttached),
  };
}

function roleDetail(deps: Deps, role: Role): RoleDetail {
  const { Description: _, MaxSessionDuration: __, ...shown } = presentRole(deps, role);
  return {
    ...shown,
    InstanceProfileList: profilesOf(deps, role).map((profile) => presentProfile(deps, profile)),
    RolePolicyList: inlineDetails(role),
    AttachedManagedPolicies: role.attachedPolicyArns.map(presentAttached),
    ...lastUsedMember(deps, role),
  };
}

function policyDetail(deps: Deps, policy: ManagedPolicy): ManagedPolicyDetail {
  const { description } = policy;
  return {
    ...presentPolicy(deps, policy),
    ...(description !== "" && { Description: description }),
    PolicyVersionList: policy.versions.map((version) => ({
      Document: encodeDocument(version.document),
      ...presentVersion(policy, version),
    })),
  };
}

function awsPolicyDetails(deps: Deps, accountId: string): readonly Detail[] {
  return listAwsPolicies().flatMap((policy): readonly Detail[] => {
    const shown = presentAwsPolicy(deps, accountId, policy);
    if (!shown.AttachmentCount && !shown.PermissionsBoundaryUsageCount) return [];
    const versions = [{ Document: encodeDocument(policy.document), ...presentAwsVersion(policy) }];
    const detail = () => ({ ...shown, PolicyVersionList: versions });
    // Behind the account's own policies, whose keys begin with the account.
    return [{ key: `/aws/${policy.arn}`, kind: "AWSManagedPolicy", policy: detail }];
  });
}

function inlineDetails({ inlinePolicies }: PolicyHolder): PolicyDetail[] {
  return inlinePolicies.map(({ policyName, document }) => ({
    PolicyName: policyName,
    PolicyDocument: encodeDocument(document),
  }));
}

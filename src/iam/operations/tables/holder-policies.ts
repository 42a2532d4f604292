import type { Call } from "../../../door/service.ts";
import { attachPolicy, detachPolicy, listAttachedPolicies } from "../attached-policies.ts";
import { GROUP, ROLE, USER } from "../holders.ts";
import {
  deleteInlinePolicy,
  getInlinePolicy,
  listInlinePolicies,
  putInlinePolicy,
} from "../inline-policies.ts";
import { type IamOperations, policyArnKey, type Rows } from "./row.ts";

/** The policies of a user. */
export function userPolicyOperations(rows: Rows): IamOperations {
  const user = ({ UserName }: { UserName?: string | undefined }, call: Call): string =>
    rows.arns.user(UserName, call);
  const arn = { keys: policyArnKey };
  return {
    PutUserPolicy: rows.full(
      "PutUserPolicy",
      user,
      (deps, { UserName: name, PolicyName: policyName, PolicyDocument: document }, call) =>
        putInlinePolicy(deps, USER, { name, policyName, document }, call),
    ),
    GetUserPolicy: rows.full(
      "GetUserPolicy",
      user,
      async (deps, { UserName: name, PolicyName: policyName }, call) => {
        const { holderName, ...policy } = getInlinePolicy(deps, USER, { name, policyName }, call);
        return { UserName: holderName, ...policy };
      },
    ),
    DeleteUserPolicy: rows.full(
      "DeleteUserPolicy",
      user,
      (deps, { UserName: name, PolicyName: policyName }, call) =>
        deleteInlinePolicy(deps, USER, { name, policyName }, call),
    ),
    ListUserPolicies: rows.full(
      "ListUserPolicies",
      user,
      (deps, { UserName: name, ...page }, call) =>
        listInlinePolicies(deps, USER, { name, ...page }, call),
    ),
    AttachUserPolicy: rows.full(
      "AttachUserPolicy",
      user,
      (deps, { UserName: name, PolicyArn: arn }, call) =>
        attachPolicy(deps, USER, { name, arn }, call),
      arn,
    ),
    DetachUserPolicy: rows.full(
      "DetachUserPolicy",
      user,
      (deps, { UserName: name, PolicyArn: arn }, call) =>
        detachPolicy(deps, USER, { name, arn }, call),
      arn,
    ),
    ListAttachedUserPolicies: rows.full(
      "ListAttachedUserPolicies",
      user,
      (deps, { UserName: name, ...page }, call) =>
        listAttachedPolicies(deps, USER, { name, ...page }, call),
    ),
  };
}

/** The policies of a group. */
export function groupPolicyOperations(rows: Rows): IamOperations {
  const group = ({ GroupName }: { GroupName?: string | undefined }, call: Call): string =>
    rows.arns.group(GroupName, call);
  const arn = { keys: policyArnKey };
  return {
    PutGroupPolicy: rows.full(
      "PutGroupPolicy",
      group,
      (deps, { GroupName: name, PolicyName: policyName, PolicyDocument: document }, call) =>
        putInlinePolicy(deps, GROUP, { name, policyName, document }, call),
    ),
    GetGroupPolicy: rows.full(
      "GetGroupPolicy",
      group,
      async (deps, { GroupName: name, PolicyName: policyName }, call) => {
        const { holderName, ...policy } = getInlinePolicy(deps, GROUP, { name, policyName }, call);
        return { GroupName: holderName, ...policy };
      },
    ),
    DeleteGroupPolicy: rows.full(
      "DeleteGroupPolicy",
      group,
      (deps, { GroupName: name, PolicyName: policyName }, call) =>
        deleteInlinePolicy(deps, GROUP, { name, policyName }, call),
    ),
    ListGroupPolicies: rows.full(
      "ListGroupPolicies",
      group,
      (deps, { GroupName: name, ...page }, call) =>
        listInlinePolicies(deps, GROUP, { name, ...page }, call),
    ),
    AttachGroupPolicy: rows.full(
      "AttachGroupPolicy",
      group,
      (deps, { GroupName: name, PolicyArn: arn }, call) =>
        attachPolicy(deps, GROUP, { name, arn }, call),
      arn,
    ),
    DetachGroupPolicy: rows.full(
      "DetachGroupPolicy",
      group,
      (deps, { GroupName: name, PolicyArn: arn }, call) =>
        detachPolicy(deps, GROUP, { name, arn }, call),
      arn,
    ),
    ListAttachedGroupPolicies: rows.full(
      "ListAttachedGroupPolicies",
      group,
      (deps, { GroupName: name, ...page }, call) =>
        listAttachedPolicies(deps, GROUP, { name, ...page }, call),
    ),
  };
}

/** The policies of a role. */
export function rolePolicyOperations(rows: Rows): IamOperations {
  const role = ({ RoleName }: { RoleName?: string | undefined }, call: Call): string =>
    rows.arns.role(RoleName, call);
  const arn = { keys: policyArnKey };
  return {
    PutRolePolicy: rows.full(
      "PutRolePolicy",
      role,
      (deps, { RoleName: name, PolicyName: policyName, PolicyDocument: document }, call) =>
        putInlinePolicy(deps, ROLE, { name, policyName, document }, call),
    ),
    GetRolePolicy: rows.full(
      "GetRolePolicy",
      role,
      async (deps, { RoleName: name, PolicyName: policyName }, call) => {
        const { holderName, ...policy } = getInlinePolicy(deps, ROLE, { name, policyName }, call);
        return { RoleName: holderName, ...policy };
      },
    ),
    DeleteRolePolicy: rows.full(
      "DeleteRolePolicy",
      role,
      (deps, { RoleName: name, PolicyName: policyName }, call) =>
        deleteInlinePolicy(deps, ROLE, { name, policyName }, call),
    ),
    ListRolePolicies: rows.full(
      "ListRolePolicies",
      role,
      (deps, { RoleName: name, ...page }, call) =>
        listInlinePolicies(deps, ROLE, { name, ...page }, call),
    ),
    AttachRolePolicy: rows.full(
      "AttachRolePolicy",
      role,
      (deps, { RoleName: name, PolicyArn: arn }, call) =>
        attachPolicy(deps, ROLE, { name, arn }, call),
      arn,
    ),
    DetachRolePolicy: rows.full(
      "DetachRolePolicy",
      role,
      (deps, { RoleName: name, PolicyArn: arn }, call) =>
        detachPolicy(deps, ROLE, { name, arn }, call),
      arn,
    ),
    ListAttachedRolePolicies: rows.full(
      "ListAttachedRolePolicies",
      role,
      (deps, { RoleName: name, ...page }, call) =>
        listAttachedPolicies(deps, ROLE, { name, ...page }, call),
    ),
  };
}

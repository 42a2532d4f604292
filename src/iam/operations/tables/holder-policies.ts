import type { AttachedPolicy } from "@aws-sdk/client-iam";
import type { Call } from "../../../door/service.ts";
import type { IamDeps } from "../../deps.ts";
import type { PolicyHolder } from "../../model/records.ts";
import { attachPolicy, detachPolicy, listAttachedPolicies } from "../attached-policies.ts";
import { GROUP, type HolderType, ROLE, USER } from "../holders.ts";
import {
  deleteInlinePolicy,
  getInlinePolicy,
  listInlinePolicies,
  putInlinePolicy,
} from "../inline-policies.ts";
import type { PageInput } from "../pages.ts";
import { type IamOperations, policyArnKey, type Rows } from "./row.ts";

/** The policies of a user. */
export function userPolicyOperations(rows: Rows): IamOperations {
  const user = ({ UserName }: { UserName?: string | undefined }, call: Call): string =>
    rows.arns.user(UserName, call);
  const policies = policiesOf(USER, "UserName");
  const arn = { keys: policyArnKey };
  return {
    PutUserPolicy: rows.full("PutUserPolicy", user, policies.put),
    GetUserPolicy: rows.full("GetUserPolicy", user, policies.get),
    DeleteUserPolicy: rows.full("DeleteUserPolicy", user, policies.delete),
    ListUserPolicies: rows.full("ListUserPolicies", user, policies.list),
    AttachUserPolicy: rows.full("AttachUserPolicy", user, policies.attach, arn),
    DetachUserPolicy: rows.full("DetachUserPolicy", user, policies.detach, arn),
    ListAttachedUserPolicies: rows.full("ListAttachedUserPolicies", user, policies.listAttached),
  };
}

/** The policies of a group. */
export function groupPolicyOperations(rows: Rows): IamOperations {
  const group = ({ GroupName }: { GroupName?: string | undefined }, call: Call): string =>
    rows.arns.group(GroupName, call);
  const policies = policiesOf(GROUP, "GroupName");
  const arn = { keys: policyArnKey };
  return {
    PutGroupPolicy: rows.full("PutGroupPolicy", group, policies.put),
    GetGroupPolicy: rows.full("GetGroupPolicy", group, policies.get),
    DeleteGroupPolicy: rows.full("DeleteGroupPolicy", group, policies.delete),
    ListGroupPolicies: rows.full("ListGroupPolicies", group, policies.list),
    AttachGroupPolicy: rows.full("AttachGroupPolicy", group, policies.attach, arn),
    DetachGroupPolicy: rows.full("DetachGroupPolicy", group, policies.detach, arn),
    ListAttachedGroupPolicies: rows.full("ListAttachedGroupPolicies", group, policies.listAttached),
  };
}

/** The policies of a role. */
export function rolePolicyOperations(rows: Rows): IamOperations {
  const role = ({ RoleName }: { RoleName?: string | undefined }, call: Call): string =>
    rows.arns.role(RoleName, call);
  const policies = policiesOf(ROLE, "RoleName");
  const arn = { keys: policyArnKey };
  return {
    PutRolePolicy: rows.full("PutRolePolicy", role, policies.put),
    GetRolePolicy: rows.full("GetRolePolicy", role, policies.get),
    DeleteRolePolicy: rows.full("DeleteRolePolicy", role, policies.delete),
    ListRolePolicies: rows.full("ListRolePolicies", role, policies.list),
    AttachRolePolicy: rows.full("AttachRolePolicy", role, policies.attach, arn),
    DetachRolePolicy: rows.full("DetachRolePolicy", role, policies.detach, arn),
    ListAttachedRolePolicies: rows.full("ListAttachedRolePolicies", role, policies.listAttached),
  };
}

/** The member by which an input names its user, group or role. */
type Named<Member extends string> = Readonly<Record<Member, string | undefined>>;
type Empty = Record<never, never>;
type Handle<Member extends string, Input, Output> = (
  deps: IamDeps,
  input: Named<Member> & Input,
  call: Call,
) => Promise<Output>;

interface InlineInput {
  readonly PolicyName: string | undefined;
}
interface AttachedInput {
  readonly PolicyArn: string | undefined;
}

/** What is the same for the three, but for the name of one member. */
interface PolicyHandlers<Member extends string> {
  readonly put: Handle<Member, InlineInput & { PolicyDocument: string | undefined }, Empty>;
  readonly get: Handle<
    Member,
    InlineInput,
    Record<Member, string> & { PolicyName: string; PolicyDocument: string }
  >;
  readonly delete: Handle<Member, InlineInput, Empty>;
  readonly list: Handle<Member, PageInput, { PolicyNames: string[]; IsTruncated: boolean }>;
  readonly attach: Handle<Member, AttachedInput, Empty>;
  readonly detach: Handle<Member, AttachedInput, Empty>;
  readonly listAttached: Handle<
    Member,
    PageInput & { readonly PathPrefix?: string | undefined },
    { AttachedPolicies: AttachedPolicy[]; IsTruncated: boolean }
  >;
}

function policiesOf<T extends PolicyHolder, Member extends string>(
  type: HolderType<T>,
  member: Member,
): PolicyHandlers<Member> {
  const nameIn = (input: Named<Member>): string | undefined => input[member];
  const inline = (
    input: Named<Member> & InlineInput,
  ): { name: string | undefined; policyName: string | undefined } => ({
    name: nameIn(input),
    policyName: input.PolicyName,
  });
  const attached = (
    input: Named<Member> & AttachedInput,
  ): { name: string | undefined; arn: string | undefined } => ({
    name: nameIn(input),
    arn: input.PolicyArn,
  });
  return {
    put: (deps, input, call) =>
      putInlinePolicy(deps, type, { ...inline(input), document: input.PolicyDocument }, call),
    get: async (deps, input, call) => {
      const { holderName, ...policy } = getInlinePolicy(deps, type, inline(input), call);
      return { ...({ [member]: holderName } as Record<Member, string>), ...policy };
    },
    delete: (deps, input, call) => deleteInlinePolicy(deps, type, inline(input), call),
    list: (deps, input, call) =>
      listInlinePolicies(deps, type, { ...input, name: nameIn(input) }, call),
    attach: (deps, input, call) => attachPolicy(deps, type, attached(input), call),
    detach: (deps, input, call) => detachPolicy(deps, type, attached(input), call),
    listAttached: (deps, input, call) =>
      listAttachedPolicies(deps, type, { ...input, name: nameIn(input) }, call),
  };
}

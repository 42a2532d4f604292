import type {
  CreatePolicyRequest,
  CreatePolicyResponse,
  DeletePolicyRequest,
  GetPolicyRequest,
  GetPolicyResponse,
  ListPoliciesRequest,
  ListPoliciesResponse,
  Policy as PolicyOutput,
} from "@aws-sdk/client-iam";
import type { Call } from "../../door/service.ts";
import { type AwsPolicy, findAwsPolicy, listAwsPolicies } from "../aws-policies/table.ts";
import type { IamDeps } from "../deps.ts";
import { PER_ACCOUNT_MAX } from "../limits.ts";
import { policyArn } from "../model/arns.ts";
import { policiesPrefix, policyKey } from "../model/keys.ts";
import type { ManagedPolicy } from "../model/records.ts";
import { sortKeyOf } from "./attached-policies.ts";
import { checkManagedDocument } from "./documents.ts";
import { accessDenied, alreadyExists, deleteConflict, quotaExceeded } from "./errors.ts";
import { findOwnPolicy } from "./holders.ts";
import { pageOf } from "./pages.ts";
import { attachmentsOf, boundedBy, countOf } from "./policy-usage.ts";
import { checkTags, tagsMember } from "./tags.ts";
import { create, type Found, transact } from "./transact.ts";
import { newUniqueId } from "./unique-id.ts";
import { checkArn, checkDescription, checkName, checkPath, checkPathPrefix } from "./validate.ts";

/** Managed policies, the account's own and AWS's. */

/** Throws EntityAlreadyExists, LimitExceeded, MalformedPolicyDocument, InvalidInput. */
export async function createPolicy(
  deps: IamDeps,
  input: CreatePolicyRequest,
  { principal: { accountId } }: Call,
): Promise<CreatePolicyResponse> {
  const policyName = checkName(input.PolicyName, "policyName");
  const now = deps.clock.now();
  const policy: ManagedPolicy = {
    accountId,
    policyName,
    policyId: newUniqueId(deps.random, "policy"),
    path: checkPath(input.Path),
    description: checkDescription(input.Description),
    versions: [
      { versionId: "v1", document: checkManagedDocument(input.PolicyDocument), createdAt: now },
    ],
    defaultVersionId: "v1",
    lastVersionNumber: 1,
    tags: checkTags(input.Tags),
    createdAt: now,
    updatedAt: now,
  };
  const exists = () =>
    alreadyExists(`A policy called ${policyName} already exists. Duplicate names are not allowed.`);
  await create(deps, policyKey(accountId, policyName), exists, () => {
    const max = PER_ACCOUNT_MAX.PoliciesPerAccount;
    if (deps.cache.list(policiesPrefix(accountId)).length >= max) {
      throw quotaExceeded("PoliciesPerAccount", max);
    }
    return { value: policy };
  });
  return { Policy: { ...presentPolicy(deps, policy), ...tagsMember(policy.tags) } };
}

/** Throws NoSuchEntity, InvalidInput. */
export async function getPolicy(
  deps: IamDeps,
  input: GetPolicyRequest,
  { principal: { accountId } }: Call,
): Promise<GetPolicyResponse> {
  const arn = checkArn(input.PolicyArn, "policyArn");
  const aws = findAwsPolicy(arn);
  if (aws !== undefined) {
    return { Policy: { ...presentAwsPolicy(deps, accountId, aws), Description: aws.description } };
  }
  const { value: policy } = findOwnPolicy(deps, accountId, arn);
  const { description, tags } = policy;
  return {
    Policy: {
      ...presentPolicy(deps, policy),
      ...(description !== "" && { Description: description }),
      ...tagsMember(tags),
    },
  };
}

/** In order of name; only those that are attached, or that bound someone, where that is asked for. */
export async function listPolicies(
  deps: IamDeps,
  input: ListPoliciesRequest,
  { principal: { accountId } }: Call,
): Promise<ListPoliciesResponse> {
  const prefix = checkPathPrefix(input.PathPrefix);
  const { Scope: scope = "All", OnlyAttached: onlyAttached, PolicyUsageFilter: usage } = input;
  const own = deps.cache
    .list(policiesPrefix(accountId))
    .map(({ value }) => presentPolicy(deps, value as ManagedPolicy));
  const aws = listAwsPolicies().map((policy) => presentAwsPolicy(deps, accountId, policy));
  const policies = [...(scope === "AWS" ? [] : own), ...(scope === "Local" ? [] : aws)].filter(
    ({ Path = "", AttachmentCount = 0, PermissionsBoundaryUsageCount = 0 }) => {
      const isUsed =
        (usage !== "PermissionsBoundary" && AttachmentCount > 0) ||
        (usage !== "PermissionsPolicy" && PermissionsBoundaryUsageCount > 0);
      return Path.startsWith(prefix) && (isUsed || !(onlyAttached || usage !== undefined));
    },
  );
  const { items, position } = pageOf(policies, input, ({ Arn = "" }) => sortKeyOf(Arn));
  return { Policies: [...items], ...position };
}

/** Throws NoSuchEntity, and DeleteConflict while anyone has it, or it has versions beside the default one. */
export async function deletePolicy(
  deps: IamDeps,
  input: DeletePolicyRequest,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  const arn = checkArn(input.PolicyArn, "policyArn");
  return transact(deps, () => {
    const { record, value } = findChangeable(deps, accountId, arn);
    const uses = [attachmentsOf(deps, accountId, arn), boundedBy(deps, accountId, arn)];
    if (uses.some((usage) => countOf(usage) > 0)) {
      throw deleteConflict("Cannot delete a policy attached to entities.");
    }
    if (value.versions.length > 1) {
      throw deleteConflict(
        "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
      );
    }
    return { compare: [record], write: [{ key: record.key, value: undefined }], result: {} };
  });
}

/** A policy that may be changed. Throws NoSuchEntity, AccessDenied for AWS's, which are everyone's. */
export function findChangeable(
  deps: Pick<IamDeps, "cache">,
  accountId: string,
  arn: string,
): Found<ManagedPolicy> {
  if (findAwsPolicy(arn) === undefined) return findOwnPolicy(deps, accountId, arn);
  throw accessDenied(`Policy ${arn} is managed by AWS and cannot be changed.`);
}

export function presentPolicy(deps: Pick<IamDeps, "cache">, policy: ManagedPolicy): PolicyOutput {
  const arn = policyArn(policy);
  return {
    PolicyName: policy.policyName,
    PolicyId: policy.policyId,
    Arn: arn,
    Path: policy.path,
    DefaultVersionId: policy.defaultVersionId,
    ...countMembers(deps, policy.accountId, arn),
    IsAttachable: true,
    CreateDate: new Date(policy.createdAt),
    UpdateDate: new Date(policy.updatedAt),
  };
}

/** `accountId`: whose attachments are counted. */
export function presentAwsPolicy(
  deps: Pick<IamDeps, "cache">,
  accountId: string,
  policy: AwsPolicy,
): PolicyOutput {
  return {
    PolicyName: policy.name,
    PolicyId: policy.policyId,
    Arn: policy.arn,
    Path: policy.path,
    DefaultVersionId: "v1",
    ...countMembers(deps, accountId, policy.arn),
    // Service-linked roles have theirs from the start, and nobody else gets them.
    IsAttachable: policy.path !== "/aws-service-role/",
    CreateDate: new Date(policy.createdAt),
    UpdateDate: new Date(policy.createdAt),
  };
}

function countMembers(
  deps: Pick<IamDeps, "cache">,
  accountId: string,
  arn: string,
): Pick<PolicyOutput, "AttachmentCount" | "PermissionsBoundaryUsageCount"> {
  return {
    AttachmentCount: countOf(attachmentsOf(deps, accountId, arn)),
    PermissionsBoundaryUsageCount: countOf(boundedBy(deps, accountId, arn)),
  };
}

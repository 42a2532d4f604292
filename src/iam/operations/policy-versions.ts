import type {
  CreatePolicyVersionRequest,
  CreatePolicyVersionResponse,
  DeletePolicyVersionRequest,
  GetPolicyVersionRequest,
  GetPolicyVersionResponse,
  ListPolicyVersionsRequest,
  ListPolicyVersionsResponse,
  PolicyVersion as PolicyVersionOutput,
  SetDefaultPolicyVersionRequest,
} from "@aws-sdk/client-iam";
import type { Call } from "../../door/service.ts";
import { type AwsPolicy, findAwsPolicy } from "../aws-policies/table.ts";
import type { IamDeps } from "../deps.ts";
import { POLICY_VERSIONS_MAX } from "../limits.ts";
import { policyArn } from "../model/arns.ts";
import type { ManagedPolicy, PolicyVersion } from "../model/records.ts";
import { checkManagedDocument, encodeDocument } from "./documents.ts";
import { deleteConflict, limitExceeded, noSuchEntity } from "./errors.ts";
import { findOwnPolicy } from "./holders.ts";
import { pageOf } from "./pages.ts";
import { findChangeable } from "./policies.ts";
import { update } from "./transact.ts";
import { checkArn, constraintViolation } from "./validate.ts";

/** The versions of managed policies: up to five, of which one counts. */

const VERSION_ID = /^v[1-9]\d*$/;
const VERSION_ID_PATTERN = "v[1-9][0-9]*(\\.[A-Za-z0-9-]*)?";

/** Throws NoSuchEntity, LimitExceeded, MalformedPolicyDocument. */
export async function createPolicyVersion(
  deps: IamDeps,
  input: CreatePolicyVersionRequest,
  { principal: { accountId } }: Call,
): Promise<CreatePolicyVersionResponse> {
  const arn = checkArn(input.PolicyArn, "policyArn");
  const document = checkManagedDocument(input.PolicyDocument);
  const policy = await update(
    deps,
    () => findChangeable(deps, accountId, arn),
    (before) => {
      if (before.versions.length >= POLICY_VERSIONS_MAX) {
        throw limitExceeded(
          `A managed policy can have up to ${POLICY_VERSIONS_MAX} versions. Before you create a new version, you must delete an existing version.`,
        );
      }
      const number = before.lastVersionNumber + 1;
      const versionId = `v${number}`;
      const now = deps.clock.now();
      return {
        ...before,
        versions: [...before.versions, { versionId, document, createdAt: now }],
        defaultVersionId: input.SetAsDefault ? versionId : before.defaultVersionId,
        lastVersionNumber: number,
        updatedAt: now,
      };
    },
  );
  const version = findVersion(policy, `v${policy.lastVersionNumber}`);
  return { PolicyVersion: presentVersion(policy, version) };
}

/** With the document. Throws NoSuchEntity. */
export async function getPolicyVersion(
  deps: IamDeps,
  input: GetPolicyVersionRequest,
  { principal: { accountId } }: Call,
): Promise<GetPolicyVersionResponse> {
  const arn = checkArn(input.PolicyArn, "policyArn");
  const versionId = checkVersionId(input.VersionId);
  const aws = findAwsPolicy(arn);
  if (aws !== undefined) {
    if (versionId !== "v1") throw versionNotFound(arn, versionId);
    return {
      PolicyVersion: { Document: encodeDocument(aws.document), ...presentAwsVersion(aws) },
    };
  }
  const { value: policy } = findOwnPolicy(deps, accountId, arn);
  const version = findVersion(policy, versionId);
  const Document = encodeDocument(version.document);
  return { PolicyVersion: { Document, ...presentVersion(policy, version) } };
}

/** The newest first, without documents. Throws NoSuchEntity. */
export async function listPolicyVersions(
  deps: IamDeps,
  input: ListPolicyVersionsRequest,
  { principal: { accountId } }: Call,
): Promise<ListPolicyVersionsResponse> {
  const arn = checkArn(input.PolicyArn, "policyArn");
  const aws = findAwsPolicy(arn);
  if (aws !== undefined) return { Versions: [presentAwsVersion(aws)], IsTruncated: false };
  const { value: policy } = findOwnPolicy(deps, accountId, arn);
  const { items, position } = pageOf(policy.versions, input, newestFirst);
  return { Versions: items.map((version) => presentVersion(policy, version)), ...position };
}

/** Takes effect on the next request of everyone who has the policy. Throws NoSuchEntity. */
export async function setDefaultPolicyVersion(
  deps: IamDeps,
  input: SetDefaultPolicyVersionRequest,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  const arn = checkArn(input.PolicyArn, "policyArn");
  const versionId = checkVersionId(input.VersionId);
  await update(
    deps,
    () => findChangeable(deps, accountId, arn),
    (policy) => {
      findVersion(policy, versionId);
      if (policy.defaultVersionId === versionId) return policy;
      return { ...policy, defaultVersionId: versionId, updatedAt: deps.clock.now() };
    },
  );
  return {};
}

/** Throws NoSuchEntity, DeleteConflict for the one that counts. */
export async function deletePolicyVersion(
  deps: IamDeps,
  input: DeletePolicyVersionRequest,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  const arn = checkArn(input.PolicyArn, "policyArn");
  const versionId = checkVersionId(input.VersionId);
  await update(
    deps,
    () => findChangeable(deps, accountId, arn),
    (policy) => {
      findVersion(policy, versionId);
      if (policy.defaultVersionId === versionId) {
        throw deleteConflict("Cannot delete the default version of a policy.");
      }
      const versions = policy.versions.filter((version) => version.versionId !== versionId);
      return { ...policy, versions };
    },
  );
  return {};
}

function checkVersionId(versionId: string | undefined): string {
  if (versionId !== undefined && VERSION_ID.test(versionId)) return versionId;
  const rule = `Member must satisfy regular expression pattern: ${VERSION_ID_PATTERN}`;
  throw constraintViolation(versionId, "versionId", rule);
}

function findVersion(policy: ManagedPolicy, versionId: string): PolicyVersion {
  const version = policy.versions.find((each) => each.versionId === versionId);
  if (version !== undefined) return version;
  throw versionNotFound(policyArn(policy), versionId);
}

function versionNotFound(arn: string, versionId: string): Error {
  return noSuchEntity(`Policy ${arn} version ${versionId} does not exist or is not attachable.`);
}

export function presentVersion(
  policy: ManagedPolicy,
  { versionId, createdAt }: PolicyVersion,
): PolicyVersionOutput {
  return {
    VersionId: versionId,
    IsDefaultVersion: versionId === policy.defaultVersionId,
    CreateDate: new Date(createdAt),
  };
}

export function presentAwsVersion({ createdAt }: AwsPolicy): PolicyVersionOutput {
  return { VersionId: "v1", IsDefaultVersion: true, CreateDate: new Date(createdAt) };
}

/** Version numbers never come again, so what is left of the highest ones sorts them downwards. */
function newestFirst({ versionId }: PolicyVersion): string {
  return String(Number.MAX_SAFE_INTEGER - Number(versionId.slice(1))).padStart(16, "0");
}

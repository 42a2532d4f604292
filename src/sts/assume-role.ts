import type { AssumeRoleRequest, AssumeRoleResponse } from "@aws-sdk/client-sts";
import type { Call, ConditionKeys, Operation, Permission } from "../door/service.ts";
import { findRole } from "../iam/model/find.ts";
import { ApiError } from "../lib/errors.ts";
import type { StsDeps } from "./deps.ts";
import { openRoleSession, roleDuration } from "./role-session.ts";
import { packedSize, readSessionPolicies } from "./session-policies.ts";
import { readSessionTags } from "./session-tags.ts";
import { checkText } from "./validate.ts";

/** The row of AssumeRole: the role's trust policy is the policy of the resource that it is about. */
export function assumeRoleOperation(
  deps: StsDeps,
): Operation<AssumeRoleRequest, AssumeRoleResponse> {
  return {
    support: "partial",
    missing: "SerialNumber and TokenCode (MFA), ProvidedContexts",
    action: "sts:AssumeRole",
    resources: ({ RoleArn = "" }) => [RoleArn],
    conditions: (input) => keysOf(input),
    dependents: (input, call) => furtherPermissions(input, call),
    handle: (input, call) => assumeRole(deps, input, call),
  };
}

function keysOf(input: AssumeRoleRequest): ConditionKeys {
  const tags = (input.Tags ?? []).map(({ Key = "", Value = "" }) => [Key, Value] as const);
  return {
    "sts:ExternalId": input.ExternalId,
    "sts:RoleSessionName": input.RoleSessionName,
    "sts:SourceIdentity": input.SourceIdentity,
    "sts:TransitiveTagKeys": input.TransitiveTagKeys,
    ...(tags.length > 0 && { "aws:TagKeys": tags.map(([key]) => key) }),
    ...Object.fromEntries(tags.map(([key, value]) => [`aws:RequestTag/${key}`, value])),
  };
}

/** Tags and a source identity that the caller's own session hands on need the role's consent as well as new ones. */
function furtherPermissions(
  input: AssumeRoleRequest,
  { principal: { session } }: Call,
): readonly Permission[] {
  const resources = [input.RoleArn ?? ""];
  const conditions = keysOf(input);
  const permission = (action: string): Permission => ({ action, resources, conditions });
  return [
    ...(input.Tags?.length || session?.transitiveTagKeys?.length
      ? [permission("sts:TagSession")]
      : []),
    ...(input.SourceIdentity || session?.sourceIdentity
      ? [permission("sts:SetSourceIdentity")]
      : []),
  ];
}

async function assumeRole(
  deps: StsDeps,
  input: AssumeRoleRequest,
  call: Call,
): Promise<AssumeRoleResponse> {
  const { principal } = call;
  if (principal.kind === "root") {
    throw accessDenied("Roles may not be assumed by root accounts.");
  }
  if (input.SerialNumber !== undefined || input.TokenCode !== undefined) {
    throw accessDenied("MultiFactorAuthentication failed with invalid MFA one time pass code.");
  }
  const arn = checkText(input.RoleArn, "roleArn");
  const sessionName = checkText(input.RoleSessionName, "roleSessionName");
  if (input.ExternalId !== undefined) checkText(input.ExternalId, "externalId");
  const role = findRole(deps.cache, arn);
  // Its trust policy has just allowed this: it was deleted in between.
  if (role === undefined) throw accessDenied(`Role ${arn} is not there any more.`);
  const isChained = principal.kind === "role-session";
  const durationSeconds = roleDuration(input.DurationSeconds, role, isChained);
  const sourceIdentity = readSourceIdentity(input, call);
  const policies = readSessionPolicies(input.Policy, input.PolicyArns, (policy) =>
    deps.canUsePolicy(role.accountId, policy),
  );
  const { tags, transitiveTagKeys } = readSessionTags(
    input.Tags,
    input.TransitiveTagKeys,
    principal.session,
  );
  const PackedPolicySize = packedSize(policies, tags);
  const facts = {
    ...policies,
    ...(Object.keys(tags).length > 0 && { tags }),
    ...(transitiveTagKeys.length > 0 && { transitiveTagKeys }),
    ...(sourceIdentity !== undefined && { sourceIdentity }),
  };
  return {
    ...(await openRoleSession(deps, { role, sessionName, durationSeconds, facts })),
    ...(PackedPolicySize !== undefined && { PackedPolicySize }),
    ...(sourceIdentity !== undefined && { SourceIdentity: sourceIdentity }),
  };
}

/** Once it is set it stays, in every session that comes of it. */
function readSourceIdentity(
  { SourceIdentity }: AssumeRoleRequest,
  { principal: { session } }: Call,
): string | undefined {
  const own = session?.sourceIdentity;
  if (SourceIdentity === undefined) return own;
  const given = checkText(SourceIdentity, "sourceIdentity");
  if (own !== undefined && own !== given) {
    throw accessDenied("The source identity of a session cannot be changed.");
  }
  return given;
}

function accessDenied(message: string): ApiError {
  return new ApiError("AccessDenied", message, { status: 403 });
}

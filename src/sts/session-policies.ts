import { deflateRawSync } from "node:zlib";
import type { PolicyDescriptorType } from "@aws-sdk/client-sts";
import { parsePolicy } from "../iam/policy/parse-policy.ts";
import { ApiError } from "../lib/errors.ts";
import type { Tags } from "./session-tags.ts";
import { checkText, constraintViolation, validationError } from "./validate.ts";

/** Policies that narrow a session. */
export interface SessionPolicies {
  readonly policies?: readonly string[];
  readonly policyArns?: readonly string[];
}

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html */
const POLICY_ARNS_MAX = 10;
/** Chosen: AWS does not tell what its packed form may take. */
const PACKED_BYTES_MAX = 2048;

/**
 * What a caller passes. `canUse`: whether the role's account can use the managed policy of an ARN. Throws ValidationError, and
 * MalformedPolicyDocument with AWS's reason.
 */
export function readSessionPolicies(
  policy: string | undefined,
  descriptors: readonly PolicyDescriptorType[] | undefined,
  canUse: (arn: string) => boolean,
): SessionPolicies {
  const policyArns = descriptors?.map(({ arn = "" }) => arn);
  if (policyArns !== undefined && policyArns.length > POLICY_ARNS_MAX) {
    const rule = `have length less than or equal to ${POLICY_ARNS_MAX}`;
    throw constraintViolation("[…]", "policyArns", rule);
  }
  const missing = policyArns?.find((arn) => !canUse(arn));
  if (missing !== undefined) {
    throw validationError(`Policy ${missing.slice(0, 200)} does not exist or is not attachable.`);
  }
  if (policy !== undefined) checkPolicy(checkText(policy, "policy"));
  return {
    ...(policy !== undefined && { policies: [policy] }),
    ...(policyArns?.length && { policyArns }),
  };
}

function checkPolicy(policy: string): void {
  const result = parsePolicy(policy, "inline");
  if (!result.ok) throw new ApiError("MalformedPolicyDocumentException", result.reason);
}

/**
 * How much of the room for them policies and tags take, in percent; undefined when there are none. Throws
 * PackedPolicyTooLarge when it is more than there is.
 */
export function packedSize(policies: SessionPolicies, tags: Tags): number | undefined {
  const hasPolicies = policies.policies !== undefined || policies.policyArns !== undefined;
  const hasTags = Object.keys(tags).length > 0;
  if (!hasPolicies && !hasTags) return undefined;
  const packed = deflateRawSync(JSON.stringify([policies, tags])).length;
  const percent = Math.ceil((100 * packed) / PACKED_BYTES_MAX);
  if (percent <= 100) return percent;
  throw new ApiError(
    "PackedPolicyTooLargeException",
    hasPolicies
      ? `Packed policy consumes ${percent}% of allotted space, please use smaller policy.`
      : `Packed size of session tags consumes ${percent}% of allotted space.`,
  );
}

import { uriEncode } from "../../lib/sigv4.ts";
import { MANAGED_POLICY_SIZE_MAX } from "../limits.ts";
import { parsePolicy, policySizeOf } from "../policy/parse-policy.ts";
import { malformedPolicy, quotaExceeded } from "./errors.ts";
import { checkDocumentLength } from "./validate.ts";

type Kind = Parameters<typeof parsePolicy>[1];

/** Checks a policy's text. Throws MalformedPolicyDocument with the reason, ValidationError for its length. */
export function checkDocument(
  document: string | undefined,
  kind: Kind,
  member = "policyDocument",
): string {
  const text = checkDocumentLength(document, member);
  const result = parsePolicy(text, kind);
  if (!result.ok) throw malformedPolicy(result.reason);
  return text;
}

/** Of a managed policy. Throws LimitExceeded too. */
export function checkManagedDocument(document: string | undefined): string {
  const text = checkDocument(document, "managed");
  if (policySizeOf(text) <= MANAGED_POLICY_SIZE_MAX) return text;
  throw quotaExceeded("PolicySize", MANAGED_POLICY_SIZE_MAX);
}

/** As documents stand in answers: URL-encoded by RFC 3986. */
export function encodeDocument(document: string): string {
  return uriEncode(document);
}

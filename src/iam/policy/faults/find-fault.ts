import type { PolicyDocument } from "../document.ts";
import { findIdentityFault } from "./identity.ts";
import { findPrincipalPolicyFault } from "./with-principals.ts";

/**
 * Where a document is used, which decides what it may say:
 * - `managed`: a managed policy, and so a permissions boundary: only of version 2012-10-17;
 * - `inline`: embedded in a user, group or role, or passed with AssumeRole (a session policy);
 * - `trust`: who may assume a role;
 * - `resource`: who may use the resource it is attached to.
 */
export type PolicyKind = "managed" | "inline" | "trust" | "resource";

/** AWS's message for a text of which nothing can be made. */
export const UNREADABLE: Readonly<Record<PolicyKind, string>> = {
  managed: "Syntax errors in policy.",
  inline: "Syntax errors in policy.",
  trust: "This policy contains invalid Json",
  resource: "This policy contains invalid Json",
};

/**
 * The first fault of a document, in the words of AWS's MalformedPolicyDocument errors and in the order in which AWS
 * finds it; undefined if AWS would take the document.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
 */
export function findFault(document: PolicyDocument, kind: PolicyKind): string | undefined {
  return kind === "managed" || kind === "inline"
    ? findIdentityFault(document, kind)
    : findPrincipalPolicyFault(document, kind);
}

import type { OrNot, PolicyDocument, StatementSource } from "../document.ts";
import type { PrincipalSource } from "../principals.ts";
import {
  allHaveVendor,
  findActionFault,
  hasDuplicates,
  hasOnlyOperators,
  NO_VENDOR_FAULT,
  SYNTAX_FAULT,
  sidsOf,
  VERSIONS,
} from "./common.ts";
import { findResourceFault } from "./resources.ts";

type Kind = "trust" | "resource";

/** The first fault of a policy that says who: a role's trust policy, or the policy of a resource. */
export function findPrincipalPolicyFault(
  { version, statements }: PolicyDocument,
  kind: Kind,
): string | undefined {
  if (!VERSIONS.includes(version)) return "The policy must contain a valid version string";
  if (statements.length === 0) return "Could not parse the policy: Statement is empty!";
  for (const statement of statements) {
    const fault = findStatementFault(statement, kind);
    if (fault !== undefined) return fault;
  }
  return hasDuplicates(sidsOf(statements))
    ? "The Statement Ids in the policy are not unique"
    : undefined;
}

function findStatementFault(statement: StatementSource, kind: Kind): string | undefined {
  const { effect, principal, action } = statement;
  if (effect === undefined) return "Missing required field Effect";
  if (effect !== "Allow" && effect !== "Deny") return `Invalid effect: ${effect}`;
  if (principal === undefined) return "Missing required field Principal";
  if (principal.isExcluding && effect === "Allow") return "Allow with NotPrincipal is not allowed.";
  if (action === undefined || action.set.length === 0) return "Missing required field Action";
  if (!hasOnlyOperators(statement)) return SYNTAX_FAULT;
  return (
    findPrincipalFault(principal, kind) ??
    (kind === "trust" ? findTrustFault(statement) : findResourcePolicyFault(statement))
  );
}

const STS_ACTIONS = new Set(
  [
    "AssumeRole",
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "SetContext",
    "SetSourceIdentity",
    "TagSession",
  ].map((name) => `sts:${name}`.toLowerCase()),
);

/** A trust policy speaks of its own role and of becoming it, and of nothing else. */
function findTrustFault({ principal, action, resource }: StatementSource): string | undefined {
  if (principal?.isExcluding) return "AssumeRole policy must not contain NotPrincipal field.";
  if (!action?.set.every((name) => STS_ACTIONS.has(name.toLowerCase()))) {
    return "AssumeRole policy may only specify STS AssumeRole actions.";
  }
  if (resource === undefined) return undefined;
  return resource.isExcluding
    ? "AssumeRole policy must not contain resources."
    : "Has prohibited field Resource";
}

/** Some services' policies name resources (KMS, Secrets Manager), some do not (ECR). */
function findResourcePolicyFault(statement: StatementSource): string | undefined {
  if (!allHaveVendor([statement])) return NO_VENDOR_FAULT;
  return findActionFault([statement]) ?? findResourceFault(statement.resource?.set ?? []);
}

function findPrincipalFault({ set }: OrNot<PrincipalSource>, kind: Kind): string | undefined {
  if (typeof set === "string") return findTextFault(set, kind);
  const entries = Object.entries(set);
  if (entries.every(([, values]) => values.length === 0)) {
    return "Missing required field Principal cannot be empty!";
  }
  for (const [type, values] of entries) {
    const form = kind === "trust" && type === "CanonicalUser" ? undefined : FORMS.get(type);
    if (form === undefined) return `Invalid principal in policy: "${type}"`;
    const wrong = values.find((value) => !form.test(value));
    if (wrong !== undefined) {
      return `Invalid principal in policy: "${type.toUpperCase()}":"${wrong}"`;
    }
  }
  return undefined;
}

/** A text in place of an object can only be `*`, and in a trust policy not even that. */
function findTextFault(text: string, kind: Kind): string | undefined {
  if (kind === "trust" && text === "*") {
    return 'AssumeRolepolicy contained an invalid principal: "STAR":"*".';
  }
  return text === "*" ? undefined : "Principal must be a JSON object.";
}

/** What each type of principal looks like. Whether it exists is for the caller to find out. */
const FORMS: ReadonlyMap<string, RegExp> = new Map([
  // Everyone, an account, a unique id (AIDA…, AROA…), or the ARN of an account, user, role or session.
  [
    "AWS",
    /^(\*|\d{12}|A[A-Z0-9]{15,}|arn:aws:iam::\d{12}:(root|(user|role)\/[^*?]+)|arn:aws:sts::\d{12}:(assumed-role|federated-user)\/[^*?]+)$/,
  ],
  ["Service", /^[a-z0-9-]+(\.[a-z0-9-]+)+$/],
  ["Federated", /^[^\s*?]+$/],
  ["CanonicalUser", /^[0-9a-f]{64}$/],
]);

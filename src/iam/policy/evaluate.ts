import type { Context } from "./context.ts";
import {
  coversRequest,
  type Policy,
  readAction,
  type Statement,
  statementsAbout,
} from "./policy.ts";
import {
  accountOf,
  asEveryone,
  type Caller,
  type Closeness,
  closenessOf,
  closest,
  sparesWholly,
} from "./principals.ts";

/**
 * Whether a call is allowed, as AWS decides it:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
 */

export interface AuthorizationRequest {
  readonly caller: Caller;
  /** e.g. `ecs:RunTask`. */
  readonly action: string;
  /** One ARN, or `*` where the action knows no resource. A call about several resources is one request for each. */
  readonly resource: string;
  /** Whose the resource is. Without it, what the ARN says; else the caller's account. */
  readonly resourceAccountId?: string;
  readonly context: Context;
}

/** A policy and the name it goes by in an explanation. */
export interface AttachedPolicy {
  readonly id: string;
  readonly policy: Policy;
}

/** All policies that have a say in a call. */
export interface Policies {
  /** Of the user and its groups, or of the role. */
  readonly identity: readonly AttachedPolicy[];
  /** The permissions boundary; undefined: none is set. */
  readonly boundary?: readonly AttachedPolicy[] | undefined;
  /** Passed when the session was made; undefined: none were. */
  readonly session?: readonly AttachedPolicy[] | undefined;
  /** Of the resource itself. */
  readonly resource?: ResourcePolicies | undefined;
}

export interface ResourcePolicies {
  /**
   * `resource`: a repository's, a secret's, …: allows as well as the caller's own policies do. `key` (of KMS) and
   * `trust` (of a role) must allow, whatever the caller's own policies say.
   */
  readonly kind: "resource" | "key" | "trust";
  readonly policies: readonly AttachedPolicy[];
}

/** Which of the policies. */
export type PolicyRole = "identity" | "boundary" | "session" | "resource" | "trust";

/** A statement that speaks of the request. */
export interface Match {
  readonly role: PolicyRole;
  readonly attached: AttachedPolicy;
  readonly statement: Statement;
}

/** With the words of SimulatePrincipalPolicy. */
export type Decision = {
  /** Every statement that speaks of the request, whichever decided. */
  readonly matches: readonly Match[];
} & (
  | { readonly outcome: "allowed" }
  | { readonly outcome: "explicitDeny"; readonly by: Match }
  /** `missing`: the policies of which one would have to allow it. */
  | { readonly outcome: "implicitDeny"; readonly missing: PolicyRole }
);

/** Decides one request. Never throws. */
export function evaluate(request: AuthorizationRequest, policies: Policies): Decision {
  const matches = findMatches(request, policies);
  const deny = matches.find(({ statement }) => statement.effect === "Deny");
  if (deny !== undefined) return { outcome: "explicitDeny", by: deny, matches };
  const missing = findMissingAllow(request, policies, matches);
  return missing === undefined
    ? { outcome: "allowed", matches }
    : { outcome: "implicitDeny", missing, matches };
}

/** Nobody denies it: which policies would have to allow it, and do not? */
function findMissingAllow(
  { caller, ...request }: AuthorizationRequest,
  policies: Policies,
  matches: readonly Match[],
): PolicyRole | undefined {
  const allows = (role: PolicyRole): boolean => matches.some((match) => match.role === role);
  const resourceRole = policies.resource?.kind === "trust" ? "trust" : "resource";
  const grant = grantOf(caller, resourceRole, matches);
  const accountId = accountOf(caller);
  const isForeign = accountId !== undefined && accountId !== ownerOf(request, accountId);
  const mustResourceAllow =
    isForeign || accountId === undefined || (policies.resource?.kind ?? "resource") !== "resource";

  if (mustResourceAllow && grant === undefined) return resourceRole;
  // Named itself by its own account's resource, a caller needs nothing more, not even from a boundary.
  if (grant === "direct" && !isForeign) return undefined;
  // Naming the role is as good as a policy of the role; naming the account leaves it to the account's own policies.
  const isGranted =
    caller.kind === "root" || allows("identity") || (grant === "role" && !isForeign);
  if (!isGranted) return "identity";
  if (policies.boundary !== undefined && !allows("boundary")) return "boundary";
  if (policies.session !== undefined && !allows("session")) return "session";
  return undefined;
}

function ownerOf(
  { resource, resourceAccountId }: Pick<AuthorizationRequest, "resource" | "resourceAccountId">,
  callerAccountId: string,
): string {
  const inArn = resource.split(":", 5)[4] ?? "";
  return resourceAccountId ?? (/^\d{12}$/.test(inArn) ? inArn : callerAccountId);
}

/** How closely the resource's own policy names the caller where it allows the request. */
function grantOf(
  caller: Caller,
  role: PolicyRole,
  matches: readonly Match[],
): Closeness | undefined {
  const grants = matches.filter((match) => match.role === role);
  return closest(
    grants.map(({ statement: { principals } }) =>
      principals === undefined || principals.isExcluding
        ? asEveryone(caller)
        : closenessOf(caller, principals.set),
    ),
  );
}

function findMatches(request: AuthorizationRequest, policies: Policies): readonly Match[] {
  const { caller, resource, context } = request;
  const action = readAction(request.action);
  const matches: Match[] = [];
  const search = (role: PolicyRole, attachedPolicies: readonly AttachedPolicy[] = []): void => {
    for (const attached of attachedPolicies) {
      for (const statement of statementsAbout(attached.policy, action)) {
        if (
          coversRequest(statement, action, resource, context) &&
          coversCaller(statement, caller, policies)
        ) {
          matches.push({ role, attached, statement });
        }
      }
    }
  };
  search("identity", policies.identity);
  search("boundary", policies.boundary);
  search("session", policies.session);
  search(policies.resource?.kind === "trust" ? "trust" : "resource", policies.resource?.policies);
  return matches;
}

function coversCaller(
  { effect, principals }: Statement,
  caller: Caller,
  { boundary }: Policies,
): boolean {
  if (principals === undefined) return true;
  if (!principals.isExcluding) return closenessOf(caller, principals.set) !== undefined;
  if (effect === "Allow") return closenessOf(caller, principals.set) === undefined;
  // AWS: a Deny with NotPrincipal hits everyone who has a permissions boundary, listed or not.
  return boundary !== undefined || !sparesWholly(caller, principals.set);
}

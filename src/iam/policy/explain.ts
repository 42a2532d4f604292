import type { AuthorizationRequest, Decision, PolicyRole } from "./evaluate.ts";
import { nameOf } from "./principals.ts";

/**
 * A refusal in AWS's words: `User: … is not authorized to perform: ecs:RunTask on resource: … because no identity-based
 * policy allows the ecs:RunTask action`. Undefined for what is allowed.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
 */
export function explainDenial(
  { caller, action, resource }: Pick<AuthorizationRequest, "caller" | "action" | "resource">,
  decision: Decision,
): string | undefined {
  const why = whyDenied(action, decision);
  return (
    why &&
    `User: ${nameOf(caller)} is not authorized to perform: ${action} on resource: ${resource} ${why}`
  );
}

/** The end of that sentence: `because no … allows the … action`, or `with an explicit deny in …`. */
export function whyDenied(action: string, decision: Decision): string | undefined {
  switch (decision.outcome) {
    case "allowed":
      return undefined;
    case "explicitDeny":
      return `with an explicit deny in ${ARTICLE[decision.by.role]} ${NAME[decision.by.role]}`;
    case "implicitDeny":
      return `because no ${NAME[decision.missing]} allows the ${action} action`;
  }
}

const NAME: Readonly<Record<PolicyRole, string>> = {
  identity: "identity-based policy",
  boundary: "permissions boundary",
  session: "session policy",
  resource: "resource-based policy",
  trust: "role trust policy",
};

const ARTICLE: Readonly<Record<PolicyRole, string>> = {
  identity: "an",
  boundary: "a",
  session: "a",
  resource: "a",
  trust: "the",
};

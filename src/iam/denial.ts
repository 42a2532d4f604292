import type { AccessDecision } from "../door/authorize.ts";
import type { Context } from "./policy/context.ts";
import type { AuthorizationRequest, Decision, Match } from "./policy/evaluate.ts";
import { explainDenial } from "./policy/explain.ts";
import { nameOf } from "./policy/principals.ts";

export type Denial = Extract<AccessDecision, { readonly allowed: false }>;

/** A refusal, as the door tells it; undefined for what is allowed. `principalId`: `aws:userid`, where there is one. */
export function denialOf(
  request: AuthorizationRequest,
  decision: Decision,
  principalId: string | undefined,
): Denial | undefined {
  const message = explainDenial(request, decision);
  if (message === undefined) return undefined;
  const details = (): string => JSON.stringify(detailsOf(request, decision, principalId));
  return { allowed: false, message, details };
}

/**
 * What DecodeAuthorizationMessage answers with.
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_DecodeAuthorizationMessage.html
 */
function detailsOf(
  { caller, action, resource, context }: AuthorizationRequest,
  decision: Decision,
  principalId: string | undefined,
): object {
  return {
    allowed: false,
    explicitDeny: decision.outcome === "explicitDeny",
    matchedStatements: { items: decision.matches.map(statementOf) },
    failures: { items: [] },
    context: {
      principal: { ...(principalId !== undefined && { id: principalId }), arn: nameOf(caller) },
      action,
      resource,
      conditions: { items: Object.entries(context).map(conditionOf) },
    },
  };
}

function statementOf({ attached, role, statement }: Match): object {
  return {
    statementId: statement.sid ?? "",
    effect: statement.effect.toUpperCase(),
    sourcePolicyId: attached.id,
    sourcePolicyType: role,
  };
}

function conditionOf([key, value]: [string, Context[string] | undefined]): object {
  const values = typeof value === "string" ? [value] : (value ?? []);
  return { key, values: { items: values.map((each) => ({ value: each })) } };
}

import type {
  EvaluationResult,
  PolicyEvaluationDecisionType,
  PolicySourceType,
  Statement as StatementOutput,
} from "@aws-sdk/client-iam";
import type { Context } from "../policy/context.ts";
import { valuesOf } from "../policy/context.ts";
import { type Decision, evaluate, type Match, type Policies } from "../policy/evaluate.ts";
import type { Caller } from "../policy/principals.ts";

/** What a simulation asks: the same question as a request does, of policies that need not be anybody's. */
export interface Simulation {
  readonly caller: Caller;
  readonly policies: Policies;
  readonly resourceAccountId: string;
  readonly context: Context;
  /** Whether resources were named: then each has its own result too. */
  readonly hasResources: boolean;
}

/** One action on one resource, decided and explained. */
export function simulate(
  { caller, policies, resourceAccountId, context, hasResources }: Simulation,
  action: string,
  resource: string,
): EvaluationResult {
  const decision = evaluate({ caller, action, resource, resourceAccountId, context }, policies);
  const isForeign = "accountId" in caller && caller.accountId !== resourceAccountId;
  const details = isForeign && policies.resource ? explainAcrossAccounts(decision) : {};
  const facts = {
    MatchedStatements: deciding(decision).map(presentMatch),
    MissingContextValues: missingKeys(policies, context),
    ...(policies.boundary && {
      PermissionsBoundaryDecisionDetail: {
        AllowedByPermissionsBoundary: outcomeOf(decision, "boundary") === "allowed",
      },
    }),
  };
  const outcome: PolicyEvaluationDecisionType = decision.outcome;
  return {
    EvalActionName: action,
    EvalResourceName: resource,
    EvalDecision: outcome,
    ...facts,
    ...(hasResources && {
      EvalDecisionDetails: details,
      ResourceSpecificResults: [
        {
          EvalResourceName: resource,
          EvalResourceDecision: outcome,
          ...facts,
          EvalDecisionDetails: details,
        },
      ],
    }),
  };
}

/** The statements that made it so: denials if there is one, else what allows; none where nothing allows enough. */
function deciding({ outcome, matches }: Decision): readonly Match[] {
  if (outcome === "implicitDeny") return [];
  const effect = outcome === "allowed" ? "Allow" : "Deny";
  return matches.filter(
    ({ statement, role }) =>
      statement.effect === effect && (effect === "Deny" || role !== "boundary"),
  );
}

function presentMatch({ role, attached, statement: { span } }: Match): StatementOutput {
  return {
    SourcePolicyId: attached.id,
    SourcePolicyType: SOURCE_TYPE[role === "resource" ? "resource" : "identity"],
    StartPosition: { Line: span.start.line, Column: span.start.column },
    EndPosition: { Line: span.end.line, Column: span.end.column },
  };
}

/** What AWS answers, which its own types do not know. */
const SOURCE_TYPE = {
  identity: "IAM Policy" as PolicySourceType,
  resource: "Resource Policy" as PolicySourceType,
};

/** Across accounts both sides have to agree: what each of them says. */
function explainAcrossAccounts(decision: Decision): Record<string, PolicyEvaluationDecisionType> {
  return {
    "IAM Policy": outcomeOf(decision, "identity"),
    "Resource Policy": outcomeOf(decision, "resource"),
  };
}

function outcomeOf({ matches }: Decision, role: Match["role"]): PolicyEvaluationDecisionType {
  const effects = matches
    .filter((match) => match.role === role)
    .map(({ statement }) => statement.effect);
  if (effects.includes("Deny")) return "explicitDeny";
  return effects.includes("Allow") ? "allowed" : "implicitDeny";
}

/** The keys that the policies ask for, as written, each once. */
export function contextKeysOf({ identity, boundary, resource }: Policies): readonly string[] {
  const all = [...identity, ...(boundary ?? []), ...(resource?.policies ?? [])];
  const keys = new Map(
    all.flatMap(({ policy }) => policy.contextKeys.map((key) => [key.toLowerCase(), key])),
  );
  return [...keys.values()];
}

function missingKeys(policies: Policies, context: Context): string[] {
  return contextKeysOf(policies).filter((key) => valuesOf(context, key.toLowerCase()).length === 0);
}

import { assert } from "../../lib/errors.ts";
import type { Context } from "./context.ts";
import { type AttachedPolicy, type Decision, evaluate, type Policies } from "./evaluate.ts";
import type { PolicyKind } from "./faults/find-fault.ts";
import { parsePolicy } from "./parse-policy.ts";
import type { Caller } from "./principals.ts";

/** The words in which the tests of `evaluate()` state their cases. */

export const OWN: string = "111111111111";
export const OTHER: string = "222222222222";
export const CLUSTER: string = `arn:aws:ecs:us-east-1:${OWN}:cluster/prod`;
export const FOREIGN: string = `arn:aws:ecs:us-east-1:${OTHER}:cluster/prod`;
export const ROLE_ARN: string = `arn:aws:iam::${OWN}:role/deploy`;
export const USER_ARN: string = `arn:aws:iam::${OWN}:user/ada`;
export const SESSION_ARN: string = `arn:aws:sts::${OWN}:assumed-role/deploy/ci`;

export const root: Caller = { kind: "root", accountId: OWN };
export const user: Caller = {
  kind: "user",
  accountId: OWN,
  arn: USER_ARN,
  uniqueId: "AIDAEXAMPLEEXAMPLE01",
};
export const session: Caller = {
  kind: "role-session",
  accountId: OWN,
  arn: SESSION_ARN,
  roleArn: ROLE_ARN,
  uniqueId: "AROAEXAMPLEEXAMPLE01",
};
export const service: Caller = { kind: "service", name: "ecs-tasks.amazonaws.com" };
export const ISSUER: string = `arn:aws:iam::${OWN}:oidc-provider/issuer.example.com`;
export const web: Caller = { kind: "web-identity", providerArn: ISSUER };

export type Elements = Readonly<Record<string, unknown>>;
export const allow = (more: Elements = {}): Elements => ({
  Effect: "Allow",
  Action: "ecs:RunTask",
  Resource: "*",
  ...more,
});
export const deny = (more: Elements = {}): Elements => ({ ...allow(more), Effect: "Deny" });
export const not = (
  element: "Action" | "Resource",
  value: unknown,
  statement: Elements = allow(),
): Elements => {
  const { [element]: _, ...others } = statement;
  return { ...others, [`Not${element}`]: value };
};

export const all: Elements = allow({ Action: "*" });
export const other: Elements = allow({ Action: "ecs:StopTask" });
export const to = (principal: unknown): Elements => allow({ Principal: principal });

export interface Case {
  readonly by?: Caller;
  readonly identity?: readonly Elements[];
  readonly boundary?: readonly Elements[];
  readonly session?: readonly Elements[];
  readonly resource?: readonly Elements[];
  readonly key?: readonly Elements[];
  readonly trust?: readonly Elements[];
  readonly action?: string;
  readonly on?: string;
  readonly context?: Context;
}

/** What decides: allowed, an explicit deny in which policies, or which policies do not allow. */
export type Expected = "allowed" | `${"denied by" | "no"} ${string}`;

export function decide(input: Case): Decision {
  const { identity = [], boundary, session: passed, resource, key, trust } = input;
  const resourcePolicies: Policies["resource"] =
    (resource && { kind: "resource", policies: attach("resource", resource, "resource") }) ??
    (key && { kind: "key", policies: attach("key", key, "resource") }) ??
    (trust && { kind: "trust", policies: attach("trust", trust, "trust") });
  return evaluate(
    {
      caller: input.by ?? user,
      action: input.action ?? (trust ? "sts:AssumeRole" : "ecs:RunTask"),
      resource: input.on ?? (trust ? ROLE_ARN : CLUSTER),
      context: input.context ?? {},
    },
    {
      identity: attach("identity", identity, "managed"),
      boundary: boundary && attach("boundary", boundary, "managed"),
      session: passed && attach("session", passed, "inline"),
      resource: resourcePolicies,
    },
  );
}

/** Each statement as a policy of its own: how they are spread over policies never matters. */
function attach(
  name: string,
  statements: readonly Elements[],
  kind: PolicyKind,
): readonly AttachedPolicy[] {
  return statements.map((statement, index) => {
    const result = parsePolicy(
      JSON.stringify({ Version: "2012-10-17", Statement: statement }),
      kind,
    );
    assert(result.ok, `a statement that AWS refuses: ${JSON.stringify(statement)}`);
    return { id: `${name}.${index}`, policy: result.policy };
  });
}

export function outcomeOf(decision: Decision): string {
  if (decision.outcome === "allowed") return "allowed";
  return decision.outcome === "explicitDeny"
    ? `denied by ${decision.by.role}`
    : `no ${decision.missing}`;
}

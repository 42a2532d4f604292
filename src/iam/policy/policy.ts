import type { Condition } from "./conditions.ts";
import type { Context } from "./context.ts";
import type { OrNot } from "./document.ts";
import type { Span } from "./document-layout.ts";
import type { PrincipalSet } from "./principals.ts";
import type { Resolve } from "./variables.ts";
import { matchesPattern, type Pattern } from "./wildcard.ts";

/** A policy document, compiled: `parsePolicy()` makes it once, `evaluate()` asks it on every call. */
export interface Policy {
  readonly statements: readonly Statement[];
  /** By service prefix: the statements that could speak of its actions. A service not here has `general` only. */
  readonly byService: ReadonlyMap<string, readonly Statement[]>;
  /** The statements that could speak of any service: `*`, and whatever a `NotAction` leaves. */
  readonly general: readonly Statement[];
  /** The condition keys and policy variables that the document names, as written, each once. */
  readonly contextKeys: readonly string[];
}

export interface Statement {
  readonly sid: string | undefined;
  readonly effect: "Allow" | "Deny";
  /** Undefined in identity-based policies: whoever they are attached to. */
  readonly principals: OrNot<PrincipalSet> | undefined;
  readonly actions: OrNot<ActionSet>;
  /** Undefined where the policy is attached to the one resource it speaks of (a role, a repository). */
  readonly resources: OrNot<readonly Resolve<Pattern>[]> | undefined;
  /** No policy variable stands in the resources: what they cover is the same for every request. */
  readonly hasConstantResources: boolean;
  /** All must hold. */
  readonly conditions: readonly Condition[];
  /** The condition keys and policy variables that it names, as written. */
  readonly contextKeys: readonly string[];
  /** Where the statement stands in its document. */
  readonly span: Span;
}

/** Actions by service prefix, all in lower case: a call looks only at the patterns of its own service. */
export interface ActionSet {
  /** The lone `*`. */
  readonly hasAll: boolean;
  readonly byService: ReadonlyMap<string, readonly Pattern[]>;
}

/** Puts the statements of a document where a call finds those of its service. */
export function indexStatements(
  statements: readonly Statement[],
): Pick<Policy, "statements" | "byService" | "general"> {
  const isGeneral = ({ actions }: Statement): boolean => actions.isExcluding || actions.set.hasAll;
  const services = new Set(statements.flatMap(({ actions }) => [...actions.set.byService.keys()]));
  const byService = new Map(
    [...services].map((service) => [
      service,
      statements.filter((each) => isGeneral(each) || each.actions.set.byService.has(service)),
    ]),
  );
  return { statements, byService, general: statements.filter(isGeneral) };
}

/** The statements of a policy that could speak of an action, in the document's order. */
export function statementsAbout(policy: Policy, action: RequestedAction): readonly Statement[] {
  return policy.byService.get(action.service) ?? policy.general;
}

/** An action, taken apart once for all statements. */
export interface RequestedAction {
  readonly service: string;
  readonly name: string;
}

/** Action names have no case. */
export function readAction(action: string): RequestedAction {
  const [service = "", name = ""] = action.toLowerCase().split(":");
  return { service, name };
}

/** Whether a statement speaks of that action on that resource in that context. Whose call it is does not count here. */
export function coversRequest(
  statement: Statement,
  action: RequestedAction,
  resource: string,
  context: Context,
): boolean {
  return (
    coversAction(statement.actions, action) &&
    coversResource(statement.resources, resource, context) &&
    statement.conditions.every((holds) => holds(context))
  );
}

function coversAction({ isExcluding, set }: OrNot<ActionSet>, action: RequestedAction): boolean {
  const isInSet =
    set.hasAll ||
    set.byService.get(action.service)?.some((name) => matchesPattern(name, action.name)) === true;
  return isInSet !== isExcluding;
}

/** Resources have a case, and `*` covers anything, colons and slashes too. */
function coversResource(resources: Statement["resources"], arn: string, context: Context): boolean {
  if (resources === undefined) return true;
  const isInSet = resources.set.some((resolve) => {
    const pattern = resolve(context);
    return pattern !== undefined && matchesPattern(pattern, arn);
  });
  return isInSet !== resources.isExcluding;
}

/** What is left of a policy for one action on one resource, whatever the context: it decides those alike, and faster. */
export function narrowPolicy(policy: Policy, action: RequestedAction, resource: string): Policy {
  const statements = statementsAbout(policy, action).filter(
    (statement) =>
      coversAction(statement.actions, action) &&
      (!statement.hasConstantResources || coversResource(statement.resources, resource, {})),
  );
  const contextKeys = [...new Set(statements.flatMap((statement) => statement.contextKeys))];
  return { statements, byService: new Map(), general: statements, contextKeys };
}

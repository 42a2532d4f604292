import { compileCondition } from "./conditions.ts";
import { type OrNot, readDocument, type StatementSource } from "./document.ts";
import { findFault, type PolicyKind, UNREADABLE } from "./faults/find-fault.ts";
import { type ActionSet, indexStatements, type Policy, type Statement } from "./policy.ts";
import { compilePrincipals } from "./principals.ts";
import { compileTemplate, parseTemplate, type TemplateSyntax, variablesIn } from "./variables.ts";
import { compilePattern, type Pattern, parsePattern } from "./wildcard.ts";

export type ParseResult =
  | { readonly ok: true; readonly policy: Policy }
  /** `reason` is AWS's message of a MalformedPolicyDocument error. */
  | { readonly ok: false; readonly reason: string };

/** Checks a policy document as AWS does when it is put, and compiles it. Any text will do: nothing is thrown. */
export function parsePolicy(text: string, kind: PolicyKind): ParseResult {
  const document = readDocument(text);
  if (document === undefined) return { ok: false, reason: UNREADABLE[kind] };
  const reason = findFault(document, kind);
  if (reason !== undefined) return { ok: false, reason };
  // Policy variables came with this version; before it, `${` was plain text.
  const syntax = { variables: document.version === "2012-10-17", wildcards: true };
  const statements = document.statements.map((source) => compileStatement(source, syntax));
  return {
    ok: true,
    policy: {
      ...indexStatements(statements),
      contextKeys: [...new Set(statements.flatMap(({ contextKeys }) => contextKeys))],
    },
  };
}

/** What counts against AWS's quotas on policies: characters, white space left out. */
export function policySizeOf(text: string): number {
  return text.replace(/\s/g, "").length;
}

function compileStatement(source: StatementSource, syntax: TemplateSyntax): Statement {
  const { sid, effect, principal, action, resource, conditions, span } = source;
  return {
    sid,
    effect: effect === "Deny" ? "Deny" : "Allow",
    principals: principal && { ...principal, set: compilePrincipals(principal.set) },
    actions: compileActions(action),
    resources: resource && {
      ...resource,
      set: resource.set.map((text) => compileTemplate(parseTemplate(text, syntax), compilePattern)),
    },
    hasConstantResources: (resource?.set ?? []).every(
      (text) => variablesIn(parseTemplate(text, syntax)).length === 0,
    ),
    conditions: conditions.map((condition) => compileCondition(condition, syntax)),
    contextKeys: contextKeysOf(source, syntax),
    span,
  };
}

function compileActions(source: OrNot<readonly string[]> | undefined): OrNot<ActionSet> {
  const byService = new Map<string, Pattern[]>();
  for (const action of source?.set ?? []) {
    const [service = "", name] = action.toLowerCase().split(":");
    if (name === undefined) continue;
    const patterns = byService.get(service) ?? [];
    patterns.push(parsePattern(name));
    byService.set(service, patterns);
  }
  const hasAll = source?.set.includes("*") ?? false;
  return { isExcluding: source?.isExcluding ?? false, set: { hasAll, byService } };
}

/** GetContextKeysFor…Policy and `MissingContextValues` of a simulation tell these. */
function contextKeysOf(source: StatementSource, syntax: TemplateSyntax): readonly string[] {
  const texts = [
    ...(source.resource?.set ?? []),
    ...source.conditions.flatMap(({ values }) => values),
  ];
  return [
    ...source.conditions.map(({ key }) => key),
    ...texts.flatMap((text) => variablesIn(parseTemplate(text, syntax))),
  ];
}

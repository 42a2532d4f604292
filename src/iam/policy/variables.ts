import { type Context, singleValueOf } from "./context.ts";
import { type PatternPart, splitWildcards } from "./wildcard.ts";

/**
 * Policy variables: `${aws:username}`, `${aws:PrincipalTag/team, 'none'}`, and `${*}`, `${?}`, `${$}` for those
 * characters themselves. Only in documents of version 2012-10-17; in older ones `${` is plain text.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
 */

export type TemplatePart = PatternPart | Variable;

export interface Variable {
  /** As written. */
  readonly variable: string;
  /** In lower case, as the request context has it. */
  readonly key: string;
  /** What stands in when the request does not have the key. */
  readonly fallback: string | undefined;
}

/** Which special characters a text of a policy knows. */
export interface TemplateSyntax {
  readonly variables: boolean;
  readonly wildcards: boolean;
}

/** Takes a text of a policy apart. Text is never refused: `${` without its end is plain text. */
export function parseTemplate(text: string, syntax: TemplateSyntax): readonly TemplatePart[] {
  const plain: (text: string) => readonly TemplatePart[] = syntax.wildcards
    ? splitWildcards
    : literally;
  if (!syntax.variables) return plain(text);
  // Splitting by a captured group: every second piece is the inside of a `${…}`.
  return text
    .split(/\$\{([^}]*)\}/)
    .flatMap((piece, index) => (index % 2 === 0 ? plain(piece) : [parseVariable(piece)]));
}

function literally(text: string): readonly PatternPart[] {
  return text === "" ? [] : [{ literal: text }];
}

function parseVariable(inside: string): TemplatePart {
  if (inside === "*" || inside === "?" || inside === "$") return { literal: inside };
  const [, withFallback, fallback] = /^([^,]*),\s*'(.*)'\s*$/s.exec(inside) ?? [];
  const variable = (withFallback ?? inside).trim();
  return { variable, key: variable.toLowerCase(), fallback };
}

/** The names of the variables in a text, as written. */
export function variablesIn(parts: readonly TemplatePart[]): readonly string[] {
  return parts.flatMap((part) => ("variable" in part ? [part.variable] : []));
}

/** Something that follows from the request; undefined when it names a key that the request does not have. */
export type Resolve<T> = (context: Context) => T | undefined;

/** Makes of a text what `build` makes of it: once if it has no variables, else for each request. */
export function compileTemplate<T>(
  parts: readonly TemplatePart[],
  build: (parts: readonly PatternPart[]) => T,
): Resolve<T> {
  if (parts.every(isPlain)) {
    const constant = build(parts);
    return () => constant;
  }
  return (context) => {
    const filled = fill(parts, context);
    return filled && build(filled);
  };
}

function isPlain(part: TemplatePart): part is PatternPart {
  return !("variable" in part);
}

/** Values are literals: a `*` in someone's tag is no wildcard. */
function fill(
  parts: readonly TemplatePart[],
  context: Context,
): readonly PatternPart[] | undefined {
  const filled: PatternPart[] = [];
  for (const part of parts) {
    if (isPlain(part)) {
      filled.push(part);
      continue;
    }
    const literal = singleValueOf(context, part.key) ?? part.fallback;
    if (literal === undefined) return undefined;
    filled.push({ literal });
  }
  return filled;
}

/** The text of parts without wildcards. */
export function textOf(parts: readonly PatternPart[]): string {
  return parts.map((part) => ("wildcard" in part ? part.wildcard : part.literal)).join("");
}

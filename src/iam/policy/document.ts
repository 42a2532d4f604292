import type { ConditionSource } from "./conditions.ts";
import { readLayout, type Span } from "./document-layout.ts";
import type { PrincipalSource } from "./principals.ts";

/** A policy document as it was read: the types of its elements are right, nothing is known of its meaning. */
export interface PolicyDocument {
  readonly version: string | undefined;
  readonly statements: readonly StatementSource[];
}

export interface StatementSource {
  readonly sid: string | undefined;
  readonly effect: string | undefined;
  readonly principal: OrNot<PrincipalSource> | undefined;
  readonly action: OrNot<readonly string[]> | undefined;
  readonly resource: OrNot<readonly string[]> | undefined;
  readonly conditions: readonly ConditionSource[];
  /** Where the statement stands in the text. */
  readonly span: Span;
}

/** An element and its opposite: `Action` and `NotAction`. */
export interface OrNot<T> {
  readonly isExcluding: boolean;
  readonly set: T;
}

/** Reads a text as a policy document; undefined if it is no JSON, or an element is unknown, double or of a wrong type. */
export function readDocument(text: string): PolicyDocument | undefined {
  const json = readJson(text);
  if (!isObject(json) || !hasElements(json, DOCUMENT_ELEMENTS)) return undefined;
  const layout = readLayout(text);
  if (layout.hasDuplicateKeys) return undefined;
  const { Version: version, Statement: statement } = json as DocumentJson;
  const statements = layout.statements.flatMap((span, index) => {
    const source = listOf(statement)[index];
    return source === undefined ? [] : [readStatement(source, span)];
  });
  return { version, statements };
}

function readStatement(json: StatementJson, span: Span): StatementSource {
  return {
    sid: json.Sid,
    effect: json.Effect,
    principal: either(json.Principal, json.NotPrincipal, readPrincipals),
    action: either(json.Action, json.NotAction, listOf),
    resource: either(json.Resource, json.NotResource, listOf),
    conditions: Object.entries(json.Condition ?? {}).flatMap(([operator, keys]) =>
      Object.entries(keys).map(([key, values]) => ({
        operator,
        key,
        values: listOf<Scalar>(values).map(String),
      })),
    ),
    span,
  };
}

function either<T, U>(
  element: T | undefined,
  opposite: T | undefined,
  read: (value: T) => U,
): OrNot<U> | undefined {
  if (element !== undefined) return { isExcluding: false, set: read(element) };
  if (opposite !== undefined) return { isExcluding: true, set: read(opposite) };
  return undefined;
}

function readPrincipals(json: PrincipalJson): PrincipalSource {
  if (typeof json === "string") return json;
  return Object.fromEntries(
    Object.entries(json).map(([type, values]) => [type, listOf<string>(values)]),
  );
}

/** A list of what may be written alone. */
function listOf<T extends Scalar | StatementJson>(
  value: T | readonly T[] | undefined,
): readonly T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value as T];
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What the checks below leave of a JSON text. */
interface DocumentJson {
  readonly Version?: string;
  readonly Statement?: OneOrMore<StatementJson>;
}

interface StatementJson {
  readonly Sid?: string;
  readonly Effect?: string;
  readonly Principal?: PrincipalJson;
  readonly NotPrincipal?: PrincipalJson;
  readonly Action?: OneOrMore<string>;
  readonly NotAction?: OneOrMore<string>;
  readonly Resource?: OneOrMore<string>;
  readonly NotResource?: OneOrMore<string>;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, OneOrMore<Scalar>>>>>;
}

type OneOrMore<T> = T | readonly T[];
type PrincipalJson = string | Readonly<Record<string, OneOrMore<string>>>;
type Scalar = string | number | boolean;

type Check = (value: unknown) => boolean;

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
const isString: Check = (value) => typeof value === "string";
const isScalar: Check = (value) => ["string", "number", "boolean"].includes(typeof value);
const oneOrMore = (check: Check): Check => {
  return (value) => (Array.isArray(value) ? value.every(check) : check(value));
};
const valuesAre = (check: Check): Check => {
  return (value) => isObject(value) && Object.values(value).every(check);
};
const isStatement: Check = (value) =>
  isObject(value) &&
  hasElements(value, STATEMENT_ELEMENTS) &&
  EXCLUSIVE.every(([one, other]) => !(one in value && other in value));

/** Whether each member is an element of the grammar, and of its type. */
function hasElements(
  value: Readonly<Record<string, unknown>>,
  elements: ReadonlyMap<string, Check>,
): boolean {
  return Object.entries(value).every(([name, member]) => elements.get(name)?.(member) === true);
}

const STATEMENT_ELEMENTS: ReadonlyMap<string, Check> = new Map([
  ["Sid", isString],
  ["Effect", isString],
  ["Principal", (value) => isString(value) || valuesAre(oneOrMore(isString))(value)],
  ["NotPrincipal", (value) => isString(value) || valuesAre(oneOrMore(isString))(value)],
  ["Action", oneOrMore(isString)],
  ["NotAction", oneOrMore(isString)],
  ["Resource", oneOrMore(isString)],
  ["NotResource", oneOrMore(isString)],
  ["Condition", valuesAre(valuesAre(oneOrMore(isScalar)))],
]);

const EXCLUSIVE = [
  ["Principal", "NotPrincipal"],
  ["Action", "NotAction"],
  ["Resource", "NotResource"],
] as const;

const DOCUMENT_ELEMENTS: ReadonlyMap<string, Check> = new Map([
  ["Version", isString],
  ["Id", isString],
  ["Statement", oneOrMore(isStatement)],
]);

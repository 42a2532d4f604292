import { type Context, valuesOf } from "./context.ts";
import { findOperator, type MatchesAny, type Operator } from "./operators.ts";

/** One line of a `Condition` block: `"StringEquals": {"aws:username": ["ada", "grace"]}`. */
export interface ConditionSource {
  /** As written, with what stands around it: `ForAnyValue:StringLikeIfExists`. */
  readonly operator: string;
  /** As written; keys have no case. */
  readonly key: string;
  readonly values: readonly string[];
}

/** Whether a condition holds for a request. */
export type Condition = (context: Context) => boolean;

interface OperatorName {
  readonly quantifier: "ForAllValues" | "ForAnyValue" | undefined;
  readonly base: Operator | "Null";
  readonly ifExists: boolean;
}

/** Whether AWS has that operator. */
export function isOperatorName(name: string): boolean {
  return readOperatorName(name) !== undefined;
}

function readOperatorName(name: string): OperatorName | undefined {
  const match = /^(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?$/.exec(name);
  const [, quantifier, baseName = "", suffix] = match ?? [];
  const ifExists = suffix !== undefined;
  if (baseName === "Null")
    return ifExists ? undefined : { quantifier: undefined, base: "Null", ifExists };
  const base = findOperator(baseName);
  return base && { quantifier: quantifier as OperatorName["quantifier"], base, ifExists };
}

/**
 * Compiles one line of a `Condition` block. All lines of a block must hold (and), any of a line's values will do (or).
 * An operator that AWS does not have never holds.
 */
export function compileCondition(
  { operator, key, values }: ConditionSource,
  syntax: { readonly variables: boolean },
): Condition {
  const name = readOperatorName(operator);
  const contextKey = key.toLowerCase();
  if (name === undefined) return () => false;
  if (name.base === "Null") return compileNull(contextKey, values);
  const test = compileTest({ ...name, base: name.base }, name.base.compile(values, syntax));
  return (context) => test(valuesOf(context, contextKey), context);
}

/** `"Null": {"key": "true"}` asks that the key is absent, `"false"` that it is there. */
function compileNull(key: string, values: readonly string[]): Condition {
  const expected = values.map((value) => value.toLowerCase());
  return (context) => expected.includes(String(valuesOf(context, key).length === 0));
}

type Test = (values: readonly string[], context: Context) => boolean;

/** How a key that is absent, or has several values, is judged. */
function compileTest(
  { base, quantifier, ifExists }: OperatorName & { readonly base: Operator },
  matchesAny: MatchesAny,
): Test {
  const accepts = (value: string, context: Context): boolean =>
    matchesAny(value, context) !== base.isNegated;
  const every: Test = (values, context) => values.every((value) => accepts(value, context));
  const some: Test = (values, context) => values.some((value) => accepts(value, context));
  // An absent key has no values: `every` holds for it and `some` does not, as AWS has it, whatever IfExists says.
  if (quantifier === "ForAllValues") return every;
  if (quantifier === "ForAnyValue") return some;
  const plain = base.isNegated ? every : some;
  const whenAbsent = base.isNegated || ifExists;
  return (values, context) => (values.length === 0 ? whenAbsent : plain(values, context));
}

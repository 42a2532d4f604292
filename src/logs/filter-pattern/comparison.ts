/** Conditions on one value, as JSON and space-delimited patterns share them. */
import { invalidPattern } from "./pattern-error.ts";
import { compileRegex } from "./regex.ts";
import type { Operand } from "./scanner.ts";

export type Operator = "=" | "!=" | "<" | "<=" | ">" | ">=";

/** Whether a value, as text, meets a condition. */
export type Condition = (text: string) => boolean;

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const ORDER: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
};

/** Throws InvalidParameterException where the operator needs a number and there is none. */
export function compileCondition(operator: Operator, operand: Operand): Condition {
  const order = ORDER[operator];
  if (order !== undefined) {
    const limit = operand.kind === "word" ? toNumber(operand.text) : undefined;
    if (limit === undefined) throw invalidPattern(`${operator} compares numbers only`);
    return (text) => {
      const value = toNumber(text);
      return value !== undefined && order(value, limit);
    };
  }
  const equals = compileEquality(operand);
  return operator === "=" ? equals : (text) => !equals(text);
}

function compileEquality({ kind, text: wanted }: Operand): Condition {
  if (kind === "regex") {
    const regex = compileRegex(wanted);
    return (text) => regex.test(text);
  }
  const number = kind === "word" ? toNumber(wanted) : undefined;
  if (number !== undefined) return (text) => text === wanted || toNumber(text) === number;
  // An asterisk in the middle stands for itself.
  const isOpenBefore = wanted.startsWith("*");
  const isOpenBehind = wanted.length > 1 && wanted.endsWith("*");
  const core = wanted.slice(isOpenBefore ? 1 : 0, isOpenBehind ? -1 : undefined);
  if (isOpenBefore && isOpenBehind) return (text) => text.includes(core);
  if (isOpenBefore) return (text) => text.endsWith(core);
  if (isOpenBehind) return (text) => text.startsWith(core);
  return (text) => text === core;
}

function toNumber(text: string): number | undefined {
  return NUMBER.test(text) ? Number(text) : undefined;
}

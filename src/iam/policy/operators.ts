import { BlockList, isIP } from "node:net";
import { compileArnPattern, matchesArnPattern } from "./arn-pattern.ts";
import type { Context } from "./context.ts";
import { readDate } from "./dates.ts";
import { compileTemplate, parseTemplate, textOf } from "./variables.ts";
import { compilePattern, matchesPattern } from "./wildcard.ts";

/**
 * The condition operators, without what may stand around them (`ForAllValues:`, `IfExists`).
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
 */
export interface Operator {
  /** The condition holds where nothing matches. */
  readonly isNegated: boolean;
  readonly compile: CompileValues;
}

/** Makes of a policy's values one question: does a value of the request match any of them? */
type CompileValues = (values: readonly string[], syntax: { variables: boolean }) => MatchesAny;

export type MatchesAny = (value: string, context: Context) => boolean;

/** The operator of that name; undefined for `Null` (which asks for no value) and for what is none. */
export function findOperator(name: string): Operator | undefined {
  return OPERATORS.get(name);
}

const stringEquals = (fold: (text: string) => string): CompileValues => {
  return (values, { variables }) => {
    const expected = values.map((value) =>
      compileTemplate(parseTemplate(value, { variables, wildcards: false }), (parts) =>
        fold(textOf(parts)),
      ),
    );
    return (value, context) => {
      const folded = fold(value);
      return expected.some((resolve) => resolve(context) === folded);
    };
  };
};

const stringLike: CompileValues = (values, { variables }) => {
  const patterns = values.map((value) =>
    compileTemplate(parseTemplate(value, { variables, wildcards: true }), compilePattern),
  );
  return (value, context) =>
    patterns.some((resolve) => {
      const pattern = resolve(context);
      return pattern !== undefined && matchesPattern(pattern, value);
    });
};

const arnLike: CompileValues = (values, { variables }) => {
  const patterns = values.map((value) =>
    compileTemplate(parseTemplate(value, { variables, wildcards: true }), compileArnPattern),
  );
  return (value, context) =>
    patterns.some((resolve) => {
      const pattern = resolve(context);
      return pattern !== undefined && matchesArnPattern(pattern, value);
    });
};

/** Compares two values once both are read; what cannot be read matches nothing. */
const compare = <T>(
  read: (text: string) => T | undefined,
  holds: (actual: T, expected: T) => boolean,
): CompileValues => {
  return (values) => {
    const expected = values.map(read).filter((value) => value !== undefined);
    return (value) => {
      const actual = read(value);
      return actual !== undefined && expected.some((each) => holds(actual, each));
    };
  };
};

function readNumber(text: string): number | undefined {
  return /^[-+]?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

function readBoolean(text: string): boolean | undefined {
  const lower = text.toLowerCase();
  return lower === "true" || lower === "false" ? lower === "true" : undefined;
}

const ipAddress: CompileValues = (values) => {
  const ranges = new BlockList();
  for (const value of values) addRange(ranges, value);
  return (value) => {
    const family = isIP(value);
    return family !== 0 && ranges.check(value, family === 6 ? "ipv6" : "ipv4");
  };
};

/** Adds `10.0.0.0/8`, `2001:db8::/32` or a lone address; what is no range matches nothing. */
function addRange(ranges: BlockList, range: string): void {
  const [address = "", length, ...more] = range.split("/");
  const family = isIP(address);
  if (family === 0 || more.length > 0) return;
  const bitsMax = family === 6 ? 128 : 32;
  const bits =
    length === undefined ? bitsMax : /^\d{1,3}$/.test(length) ? Number(length) : Infinity;
  if (bits <= bitsMax) ranges.addSubnet(address, bits, family === 6 ? "ipv6" : "ipv4");
}

const isEqual = <T>(actual: T, expected: T): boolean => actual === expected;
const isLess = (actual: number, expected: number): boolean => actual < expected;
const isAtMost = (actual: number, expected: number): boolean => actual <= expected;
const isMore = (actual: number, expected: number): boolean => actual > expected;
const isAtLeast = (actual: number, expected: number): boolean => actual >= expected;
const asBytes = (base64: string): string => Buffer.from(base64, "base64").toString("base64");

const positive = (name: string, compile: CompileValues): [string, Operator] => [
  name,
  { isNegated: false, compile },
];
const negative = (name: string, compile: CompileValues): [string, Operator] => [
  name,
  { isNegated: true, compile },
];

const OPERATORS: ReadonlyMap<string, Operator> = new Map([
  positive(
    "StringEquals",
    stringEquals((text) => text),
  ),
  negative(
    "StringNotEquals",
    stringEquals((text) => text),
  ),
  positive(
    "StringEqualsIgnoreCase",
    stringEquals((text) => text.toLowerCase()),
  ),
  negative(
    "StringNotEqualsIgnoreCase",
    stringEquals((text) => text.toLowerCase()),
  ),
  positive("StringLike", stringLike),
  negative("StringNotLike", stringLike),
  positive("NumericEquals", compare(readNumber, isEqual)),
  negative("NumericNotEquals", compare(readNumber, isEqual)),
  positive("NumericLessThan", compare(readNumber, isLess)),
  positive("NumericLessThanEquals", compare(readNumber, isAtMost)),
  positive("NumericGreaterThan", compare(readNumber, isMore)),
  positive("NumericGreaterThanEquals", compare(readNumber, isAtLeast)),
  positive("DateEquals", compare(readDate, isEqual)),
  negative("DateNotEquals", compare(readDate, isEqual)),
  positive("DateLessThan", compare(readDate, isLess)),
  positive("DateLessThanEquals", compare(readDate, isAtMost)),
  positive("DateGreaterThan", compare(readDate, isMore)),
  positive("DateGreaterThanEquals", compare(readDate, isAtLeast)),
  positive("Bool", compare(readBoolean, isEqual)),
  positive("BinaryEquals", compare(asBytes, isEqual)),
  positive("IpAddress", ipAddress),
  negative("NotIpAddress", ipAddress),
  positive("ArnEquals", arnLike),
  negative("ArnNotEquals", arnLike),
  positive("ArnLike", arnLike),
  negative("ArnNotLike", arnLike),
]);

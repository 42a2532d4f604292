import { attributeOf, type Instance } from "./instance.ts";
import type { Comparison, Expression } from "./query-parse.ts";

/** What the cluster query language can ask of a container instance. */
export interface QueryTarget {
  readonly instance: Instance;
  readonly runningTasksCount: number;
  /** Groups of the tasks on it. */
  readonly groups: readonly string[];
}

/** Whether an instance is one that the expression speaks of. */
export function matchesQuery(expression: Expression, target: QueryTarget): boolean {
  switch (expression.kind) {
    case "and":
      return matchesQuery(expression.left, target) && matchesQuery(expression.right, target);
    case "or":
      return matchesQuery(expression.left, target) || matchesQuery(expression.right, target);
    case "not":
      return !matchesQuery(expression.operand, target);
    case "comparison":
      return compare(expression, target);
  }
}

/** True if any value of the subject compares: only `task:group` has more than one, an absent attribute has none. */
function compare(comparison: Comparison, target: QueryTarget): boolean {
  const actual = valuesOf(comparison.subject, target);
  const [expected = ""] = comparison.values;
  const order = (value: string): number => compareOrder(comparison.subject, value, expected);
  switch (comparison.operator) {
    case "exists":
      return actual.length > 0;
    case "==":
      return actual.some((value) => value === expected || order(value) === 0);
    case "in":
      return actual.some((value) => comparison.values.includes(value));
    case "=~":
      return actual.some((value) => comparison.pattern?.test(value));
    case ">":
      return actual.some((value) => order(value) > 0);
    case ">=":
      return actual.some((value) => order(value) >= 0);
    case "<":
      return actual.some((value) => order(value) < 0);
    case "<=":
      return actual.some((value) => order(value) <= 0);
  }
}

function valuesOf(subject: string, { instance, ...target }: QueryTarget): readonly string[] {
  switch (subject) {
    case "agentConnected":
      return [String(instance.agentConnected)];
    case "ec2InstanceId":
      return [instance.ec2InstanceId];
    case "agentVersion":
      return listOf(instance.versionInfo.agentVersion);
    case "registeredAt":
      return [new Date(instance.registeredAt).toISOString()];
    case "runningTasksCount":
      return [String(target.runningTasksCount)];
    case "task:group":
      return target.groups;
    default:
      return listOf(attributeOf(instance, subject.slice("attribute:".length)));
  }
}

function listOf(value: string | undefined): readonly string[] {
  return value === undefined ? [] : [value];
}

/** Negative, zero or positive; NaN where the two cannot be ordered, which makes every comparison false. */
function compareOrder(subject: string, actual: string, expected: string): number {
  if (subject === "agentVersion") return compareVersions(actual, expected);
  if (subject === "registeredAt") return Date.parse(actual) - parseDate(expected);
  return parseNumber(actual) - parseNumber(expected);
}

function parseNumber(text: string): number {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
}

/** ECS: a date alone, a date and time, or either with an offset; UTC where none is given. */
function parseDate(text: string): number {
  return Date.parse(/T[\d:.]+$/.test(text) ? `${text}Z` : text);
}

function compareVersions(actual: string, expected: string): number {
  const left = actual.split(".").map(parseNumber);
  const right = expected.split(".").map(parseNumber);
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

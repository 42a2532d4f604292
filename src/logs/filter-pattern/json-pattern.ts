/** Patterns for JSON events: `{ $.status >= 500 && ($.user.id = "a*" || $.error IS NULL) }`. */
import { compileCondition, type Operator } from "./comparison.ts";
import { readSelector, type Selector, select } from "./json-selector.ts";
import { invalidPattern, invalidTerm } from "./pattern-error.ts";
import { Scanner } from "./scanner.ts";

type Test = (root: unknown) => boolean;

const OPERATORS: readonly Operator[] = ["!=", "<=", ">=", "=", "<", ">"];
const WORD = /[\p{L}\p{N}_.*+-]+/uy;
const KEYWORD = /[A-Za-z]+/y;
/** Chosen: far above what a person writes; the reader and every match recurse as deep. */
const DEPTH_MAX = 32;

/** Throws InvalidParameterException. */
export function compileJsonPattern(pattern: string): (message: string) => boolean {
  if (!pattern.endsWith("}")) {
    throw invalidPattern("If a filter pattern starts with '{' it must end with '}'");
  }
  const scanner = new Scanner(pattern, 1, pattern.length - 1);
  const test = readAny(scanner, 0);
  if (!scanner.isAtEnd) throw invalidTerm(scanner.rest());
  return (message) => {
    const root = parseDocument(message);
    return root !== undefined && test(root);
  };
}

/** The object or array that a message consists of. */
function parseDocument(message: string): unknown {
  if (!/^\s*[{[]/.test(message)) return undefined;
  try {
    return JSON.parse(message);
  } catch {
    return undefined;
  }
}

function readAny(scanner: Scanner, depth: number): Test {
  const tests = [readAll(scanner, depth)];
  while (scanner.take("||")) tests.push(readAll(scanner, depth));
  return (root) => tests.some((test) => test(root));
}

function readAll(scanner: Scanner, depth: number): Test {
  const tests = [readOne(scanner, depth)];
  while (scanner.take("&&")) tests.push(readOne(scanner, depth));
  return (root) => tests.every((test) => test(root));
}

function readOne(scanner: Scanner, depth: number): Test {
  if (depth > DEPTH_MAX) throw invalidPattern("its parentheses are nested too deeply");
  scanner.skipSpace();
  const test = scanner.take("(") ? readGroup(scanner, depth + 1) : readComparison(scanner);
  scanner.skipSpace();
  return test;
}

function readGroup(scanner: Scanner, depth: number): Test {
  const test = readAny(scanner, depth);
  if (!scanner.take(")")) throw invalidPattern("a parenthesis is not closed");
  return test;
}

function readComparison(scanner: Scanner): Test {
  if (!scanner.take("$")) throw invalidTerm(scanner.rest());
  const selector = readSelector(scanner);
  scanner.skipSpace();
  const operator = scanner.takeOneOf(OPERATORS);
  if (operator === undefined) return readState(scanner, selector);
  scanner.skipSpace();
  const meets = compileCondition(operator, scanner.operand(WORD));
  // Objects, arrays and null have no value to compare, which also fails `!=`.
  return (root) =>
    select(root, selector).some(
      (value) => typeof value !== "object" && value !== undefined && meets(String(value)),
    );
}

/** `IS NULL`, `IS TRUE`, `IS FALSE`, `NOT EXISTS`. */
function readState(scanner: Scanner, selector: Selector): Test {
  const words = [scanner.takeMatch(KEYWORD)];
  scanner.skipSpace();
  words.push(scanner.takeMatch(KEYWORD));
  const state = words.join(" ").toUpperCase();
  if (state === "NOT EXISTS") return (root) => select(root, selector).length === 0;
  const wanted = new Map([
    ["IS NULL", null],
    ["IS TRUE", true],
    ["IS FALSE", false],
  ]).get(state);
  if (wanted === undefined) throw invalidPattern(`${state.trim() || "nothing"} is no comparison`);
  return (root) => select(root, selector).includes(wanted);
}

import { ApiError } from "../../lib/errors.ts";
import { LinearRegex } from "../../lib/linear-regex.ts";
import { RegexSyntaxError } from "../../lib/regex-syntax.ts";
import { type Token, tokenise } from "./query-tokens.ts";

/** An expression of the cluster query language, ready to be evaluated (`query.ts`). */
export type Expression =
  | { readonly kind: "and" | "or"; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "not"; readonly operand: Expression }
  | Comparison;

export interface Comparison {
  readonly kind: "comparison";
  /** `agentConnected`, `attribute:<name>`, `task:group`, … */
  readonly subject: string;
  readonly operator: Operator;
  /** None for `exists`, one for most, any number for `in`. */
  readonly values: readonly string[];
  /** For `=~` only. */
  readonly pattern?: LinearRegex;
}

/** The positive operators; the others are their negations. */
export type Operator = "==" | ">" | ">=" | "<" | "<=" | "exists" | "in" | "=~";

interface OperatorForm {
  readonly operator: Operator;
  readonly isNegated: boolean;
}

const POSITIVE = (operator: Operator): OperatorForm => ({ operator, isNegated: false });
const NEGATIVE = (operator: Operator): OperatorForm => ({ operator, isNegated: true });

/** Every spelling, as the developer guide lists them. */
const OPERATORS: ReadonlyMap<string, OperatorForm> = new Map([
  ["==", POSITIVE("==")],
  ["equals", POSITIVE("==")],
  ["!=", NEGATIVE("==")],
  ["not_equals", NEGATIVE("==")],
  [">", POSITIVE(">")],
  ["greater_than", POSITIVE(">")],
  [">=", POSITIVE(">=")],
  ["greater_than_equal", POSITIVE(">=")],
  ["<", POSITIVE("<")],
  ["less_than", POSITIVE("<")],
  ["<=", POSITIVE("<=")],
  ["less_than_equal", POSITIVE("<=")],
  ["exists", POSITIVE("exists")],
  ["!exists", NEGATIVE("exists")],
  ["not_exists", NEGATIVE("exists")],
  ["in", POSITIVE("in")],
  ["!in", NEGATIVE("in")],
  ["not_in", NEGATIVE("in")],
  ["=~", POSITIVE("=~")],
  ["matches", POSITIVE("=~")],
  ["!~", NEGATIVE("=~")],
  ["not_matches", NEGATIVE("=~")],
]);

const EQUALITY: readonly Operator[] = ["==", "in", "=~"];
const ORDER: readonly Operator[] = ["==", ">", ">=", "<", "<="];
const ATTRIBUTE: readonly Operator[] = [...ORDER, "in", "=~", "exists"];

/** Which operators a subject takes (`ecs-behaviour` §4.4). */
const SUBJECTS: ReadonlyMap<string, readonly Operator[]> = new Map([
  ["agentConnected", EQUALITY],
  ["ec2InstanceId", EQUALITY],
  ["agentVersion", ORDER],
  ["registeredAt", ORDER],
  ["runningTasksCount", ORDER],
  ["task:group", EQUALITY],
]);

/** ECS: longest expression. */
export const EXPRESSION_LENGTH_MAX = 2000;

/** Reads an expression. Throws InvalidParameterException that says where it stops making sense. */
export function parseQuery(text: string): Expression {
  if (text.length > EXPRESSION_LENGTH_MAX) {
    throw invalid(`it has more than ${EXPRESSION_LENGTH_MAX} characters`);
  }
  const tokens = tokenise(text);
  if (!tokens) throw invalid(`'${text}' contains a sign that is not part of the language`);
  const reader = new TokenReader(tokens);
  const expression = readOr(reader);
  const rest = reader.peek();
  if (rest) throw invalid(`unexpected '${rest.text}'`);
  return expression;
}

/** A place in a list of tokens. */
class TokenReader {
  readonly #tokens: readonly Token[];
  #position = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  peek(): Token | undefined {
    return this.#tokens[this.#position];
  }

  next(expected: string): Token {
    const token = this.#tokens[this.#position++];
    if (!token) throw invalid(`it ends where ${expected} is expected`);
    return token;
  }

  /** Steps over the next token if it is one of these signs or keywords. */
  skip(...texts: string[]): boolean {
    const token = this.peek();
    if (!token || token.isQuoted || !texts.includes(token.text)) return false;
    this.#position++;
    return true;
  }
}

function readOr(reader: TokenReader): Expression {
  let left = readAnd(reader);
  while (reader.skip("||", "or")) left = { kind: "or", left, right: readAnd(reader) };
  return left;
}

function readAnd(reader: TokenReader): Expression {
  let left = readNot(reader);
  while (reader.skip("&&", "and")) left = { kind: "and", left, right: readNot(reader) };
  return left;
}

function readNot(reader: TokenReader): Expression {
  if (reader.skip("!", "not")) return { kind: "not", operand: readNot(reader) };
  if (!reader.skip("(")) return readComparison(reader);
  const inner = readOr(reader);
  if (!reader.skip(")")) throw invalid("a ')' is missing");
  return inner;
}

function readComparison(reader: TokenReader): Expression {
  const subject = reader.next("a subject").text;
  const allowed = /^attribute:.+$/.test(subject) ? ATTRIBUTE : SUBJECTS.get(subject);
  if (!allowed) throw invalid(`unknown subject '${subject}'`);
  const bang = reader.skip("!") ? "!" : "";
  const name = bang + reader.next("an operator").text;
  const form = OPERATORS.get(name);
  if (!form || !allowed.includes(form.operator)) {
    throw invalid(`'${name}' is not an operator of '${subject}'`);
  }
  const values = readValues(reader, form.operator);
  const comparison: Comparison = {
    kind: "comparison",
    subject,
    operator: form.operator,
    values,
    ...(form.operator === "=~" && { pattern: readPattern(values[0] ?? "") }),
  };
  return form.isNegated ? { kind: "not", operand: comparison } : comparison;
}

function readValues(reader: TokenReader, operator: Operator): readonly string[] {
  if (operator === "exists") return [];
  if (operator !== "in") return [readValue(reader)];
  if (!reader.skip("[")) throw invalid("'in' takes a list in brackets");
  const values = [readValue(reader)];
  while (reader.skip(",")) values.push(readValue(reader));
  if (!reader.skip("]")) throw invalid("a ']' is missing");
  return values;
}

function readValue(reader: TokenReader): string {
  const token = reader.next("a value");
  if (!token.isQuoted && /^[()[\],<>!=~&|]/.test(token.text)) {
    throw invalid(`'${token.text}' stands where a value is expected`);
  }
  return token.text;
}

/** Holds of the whole value. One that looks at each character once: expressions are tried on every instance of a cluster. */
function readPattern(text: string): LinearRegex {
  try {
    // By itself too: `a)|(b` is none, although the brackets around it would make it one.
    new LinearRegex(text);
    return new LinearRegex(`^(?:${text})$`);
  } catch (error) {
    if (!(error instanceof RegexSyntaxError)) throw error;
    throw invalid(`'${text}' is not a pattern: ${error.message}`);
  }
}

function invalid(why: string): ApiError {
  return new ApiError("InvalidParameterException", `Invalid expression: ${why}.`);
}

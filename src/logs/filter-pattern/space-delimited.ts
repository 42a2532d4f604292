/** Patterns for fields divided by spaces: `[ip, user, ..., status = 4* && status != 404, bytes > 1000]`. */
import { type Condition, compileCondition, type Operator } from "./comparison.ts";
import { invalidPattern, invalidTerm } from "./pattern-error.ts";
import { Scanner } from "./scanner.ts";

interface Field {
  readonly name: string;
  readonly meets: Condition;
}

const OPERATORS: readonly Operator[] = ["!=", "<=", ">=", "=", "<", ">"];
const NAME = /[\p{L}\p{N}_.-]*/uy;
const WORD = /[\p{L}\p{N}_.*+:/@#$;?-]+/uy;
const ELLIPSIS = "...";
const CLOSING: Readonly<Record<string, string>> = { "[": "]", '"': '"' };
const SPACE = /\s/;
const NOT_SPACE = /\S+/y;

export interface SpaceDelimited {
  readonly matches: (message: string) => boolean;
  /** The fields of a message that matches, by `$name` or `$number`. */
  readonly extract: (message: string) => Readonly<Record<string, string>>;
}

/** Throws InvalidParameterException. */
export function compileSpaceDelimited(pattern: string): SpaceDelimited {
  if (!pattern.endsWith("]")) {
    throw invalidPattern("If a filter pattern starts with '[' it must end with ']'");
  }
  const fields = readFields(new Scanner(pattern, 1, pattern.length - 1));
  const gap = fields.indexOf(ELLIPSIS);
  if (fields.lastIndexOf(ELLIPSIS) !== gap)
    throw invalidPattern(`it has more than one ${ELLIPSIS}`);
  const before = fields.slice(0, gap < 0 ? undefined : gap) as Field[];
  const behind = gap < 0 ? [] : (fields.slice(gap + 1) as Field[]);
  const align = (values: readonly string[]): readonly (Field | undefined)[] | undefined => {
    const missing = values.length - before.length - behind.length;
    if (missing < 0 || (missing > 0 && gap < 0)) return undefined;
    return [...before, ...new Array<undefined>(missing).fill(undefined), ...behind];
  };
  return {
    matches: (message) => {
      const values = splitFields(message);
      const aligned = align(values);
      return aligned?.every((field, i) => field?.meets(values[i] ?? "") ?? true) ?? false;
    },
    extract: (message) => {
      const values = splitFields(message);
      const aligned = align(values) ?? [];
      return Object.fromEntries(
        aligned.map((field, i) => [`$${field?.name || i + 1}`, values[i] ?? ""]),
      );
    },
  };
}

/** The fields of a log event: what stands between brackets or quotes is one. Looks at each character once or twice. */
export function splitFields(message: string): readonly string[] {
  const fields: string[] = [];
  // Where each closing character was looked for in vain: behind it there is none either.
  const missing = new Set<string>();
  for (let at = 0; at < message.length; ) {
    const opening = message[at] ?? "";
    if (SPACE.test(opening)) {
      at++;
      continue;
    }
    const closing = CLOSING[opening];
    const end =
      closing === undefined || missing.has(closing) ? -1 : message.indexOf(closing, at + 1);
    if (closing !== undefined && end < 0) missing.add(closing);
    if (end > 0) {
      fields.push(message.slice(at + 1, end));
      at = end + 1;
      continue;
    }
    NOT_SPACE.lastIndex = at;
    const [word = ""] = NOT_SPACE.exec(message) ?? [];
    fields.push(word);
    at += word.length;
  }
  return fields;
}

function readFields(scanner: Scanner): readonly (Field | typeof ELLIPSIS)[] {
  const fields: (Field | typeof ELLIPSIS)[] = [];
  do {
    scanner.skipSpace();
    if (scanner.take(ELLIPSIS)) fields.push(ELLIPSIS);
    else fields.push(readField(scanner));
    scanner.skipSpace();
  } while (scanner.take(","));
  if (!scanner.isAtEnd) throw invalidTerm(scanner.rest());
  return fields;
}

/** A name, and conditions on the field: `name = a* && name != ab || name > 3`. */
function readField(scanner: Scanner): Field {
  const name = scanner.takeMatch(NAME);
  const alternatives: Condition[][] = [];
  let conditions: Condition[] = [];
  for (let isFirst = true; ; isFirst = false) {
    if (!isFirst) {
      scanner.skipSpace();
      const again = scanner.takeMatch(NAME);
      if (again !== name)
        throw invalidPattern(`a condition on ${name} names ${again || "nothing"}`);
    }
    scanner.skipSpace();
    const operator = scanner.takeOneOf(OPERATORS);
    if (operator === undefined && isFirst) return { name, meets: () => true };
    if (operator === undefined) throw invalidTerm(scanner.rest());
    scanner.skipSpace();
    conditions.push(compileCondition(operator, scanner.operand(WORD)));
    scanner.skipSpace();
    const junction = scanner.takeOneOf(["&&", "||"]);
    if (junction === "&&") continue;
    alternatives.push(conditions);
    if (junction === undefined) break;
    conditions = [];
  }
  return { name, meets: (text) => alternatives.some((all) => all.every((one) => one(text))) };
}

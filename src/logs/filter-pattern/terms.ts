/** Patterns for unstructured text: `ERROR "not found" -debug`, `?ERROR ?WARN`, `%regex%`. */
import type { FilterPattern } from "./filter-pattern.ts";
import { invalidTerm } from "./pattern-error.ts";
import { compileRegex } from "./regex.ts";
import { type Operand, Scanner } from "./scanner.ts";

const WORD = /[A-Za-z0-9_]+/y;

interface Term {
  readonly isIn: (message: string) => boolean;
  /** False only if it is in no message that is a part of `text`. */
  readonly mayBeIn: (text: string) => boolean;
}

/** Throws InvalidParameterException. */
export function compileTerms(pattern: string): Pick<FilterPattern, "matches" | "mayMatch"> {
  const scanner = new Scanner(pattern);
  const required: Term[] = [];
  const optional: Term[] = [];
  const excluded: Term[] = [];
  for (scanner.skipSpace(); !scanner.isAtEnd; scanner.skipSpace()) {
    const start = scanner.rest();
    const sign = scanner.takeOneOf(["?", "-"]);
    if (sign === "-") scanner.skipSpace();
    const term = compileTerm(scanner.operand(WORD));
    // A word ends at a space: what else follows it would have had to be quoted.
    if (!scanner.isAtEnd && scanner.rest() !== "") throw invalidTerm(start);
    (sign === "?" ? optional : sign === "-" ? excluded : required).push(term);
  }
  // CloudWatch Logs ignores optional terms beside others.
  if (required.length + excluded.length === 0) {
    return {
      matches: (message) => optional.some(({ isIn }) => isIn(message)),
      mayMatch: (text) => optional.some(({ mayBeIn }) => mayBeIn(text)),
    };
  }
  return {
    matches: (message) =>
      required.every(({ isIn }) => isIn(message)) && !excluded.some(({ isIn }) => isIn(message)),
    mayMatch: (text) => required.every(({ mayBeIn }) => mayBeIn(text)),
  };
}

function compileTerm({ kind, text: wanted }: Operand): Term {
  if (wanted === "") throw invalidTerm('""');
  if (kind !== "regex") {
    const isIn = (text: string): boolean => text.includes(wanted);
    return { isIn, mayBeIn: isIn };
  }
  const regex = compileRegex(wanted);
  return { isIn: (message) => regex.test(message), mayBeIn: () => true };
}

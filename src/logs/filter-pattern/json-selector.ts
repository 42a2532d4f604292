/** What a JSON pattern looks at: `$.user.id`, `$.users[0].name`, `$.items[*].id`, `$.*.id`, `$.['a.b']`. */
import { invalidPattern } from "./pattern-error.ts";
import type { Scanner } from "./scanner.ts";

/** A property's name, an element's number, or any of them. */
type Step = string | number | typeof ANY;

const ANY: unique symbol = Symbol("any");
const NAME = /[\p{L}\p{N}_-]+/uy;
const INDEX = /\d{1,9}/y;
const QUOTED_NAME = /'[^']+'|"[^"]+"/y;
/** CloudWatch Logs. */
const WILDCARDS_MAX = 1;

export type Selector = readonly Step[];

/** Behind the dollar sign. Throws InvalidParameterException. */
export function readSelector(scanner: Scanner): Selector {
  const steps: Step[] = [];
  for (;;) {
    if (scanner.take("[") || scanner.take(".[")) steps.push(readBracket(scanner));
    else if (!scanner.take(".")) break;
    else if (scanner.take("*")) steps.push(ANY);
    else {
      const name = scanner.takeMatch(NAME);
      if (name === "") throw invalidPattern("a property selector names no property");
      steps.push(name);
    }
  }
  if (steps.length === 0) throw invalidPattern("a property selector names no property");
  if (steps.filter((step) => step === ANY).length > WILDCARDS_MAX) {
    throw invalidPattern(`a property selector has more than ${WILDCARDS_MAX} wildcard`);
  }
  return steps;
}

function readBracket(scanner: Scanner): Step {
  const quoted = scanner.takeMatch(QUOTED_NAME);
  const step = quoted !== "" ? quoted.slice(1, -1) : scanner.take("*") ? ANY : readIndex(scanner);
  if (!scanner.take("]")) throw invalidPattern("a bracket of a property selector is not closed");
  return step;
}

function readIndex(scanner: Scanner): number {
  const digits = scanner.takeMatch(INDEX);
  if (digits === "") throw invalidPattern("a bracket holds neither a number nor a quoted name");
  return Number(digits);
}

/** The values that a selector points to: one or none without a wildcard. */
export function select(root: unknown, selector: Selector): readonly unknown[] {
  let values: readonly unknown[] = [root];
  for (const step of selector) values = values.flatMap((value) => follow(value, step));
  return values;
}

function follow(value: unknown, step: Step): readonly unknown[] {
  if (typeof value !== "object" || value === null) return [];
  if (step === ANY) return Object.values(value);
  const isElement = typeof step === "number";
  if (Array.isArray(value) !== isElement || !Object.hasOwn(value, step)) return [];
  return [(value as Record<string | number, unknown>)[step]];
}

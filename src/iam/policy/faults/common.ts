import { isOperatorName } from "../conditions.ts";
import type { StatementSource } from "../document.ts";

/** What all kinds of policies have in common. */

export const SYNTAX_FAULT = "Syntax errors in policy.";

export const VERSIONS: readonly (string | undefined)[] = ["2008-10-17", "2012-10-17", undefined];

/** An unknown operator with no keys below it never gets here: AWS does not look at it either. */
export function hasOnlyOperators({ conditions }: StatementSource): boolean {
  return conditions.every(({ operator }) => isOperatorName(operator));
}

/** The Sids of a document; an empty one is none. */
export function sidsOf(statements: readonly StatementSource[]): readonly string[] {
  return statements.flatMap(({ sid }) => (sid === undefined || sid === "" ? [] : [sid]));
}

export function hasDuplicates(texts: readonly string[]): boolean {
  return new Set(texts).size < texts.length;
}

/** What is wrong with `<service>:<name>`; the name itself is never looked at, since services come and go. */
export function findActionFault(statements: readonly StatementSource[]): string | undefined {
  for (const action of statements.flatMap((statement) => statement.action?.set ?? [])) {
    if (action === "*") continue;
    const [vendor = "", ...names] = action.split(":");
    if (names.length !== 1) return "Actions/Condition can contain only one colon.";
    if (/[*?]/.test(vendor)) {
      return "Action vendors (e.g., aws, ec2, etc.) must not contain wildcards";
    }
    if (!/^[a-zA-Z0-9\-.]+$/.test(vendor)) return `Vendor ${vendor} is not valid`;
  }
  return undefined;
}

export const NO_VENDOR_FAULT =
  "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";

/** Whether each action says whose it is. */
export function allHaveVendor(statements: readonly StatementSource[]): boolean {
  return statements
    .flatMap(({ action }) => action?.set ?? [])
    .every((action) => action === "*" || action.includes(":"));
}

import { readDate } from "../dates.ts";
import type { PolicyDocument, StatementSource } from "../document.ts";
import {
  allHaveVendor,
  findActionFault,
  hasDuplicates,
  hasOnlyOperators,
  NO_VENDOR_FAULT,
  SYNTAX_FAULT,
  sidsOf,
  VERSIONS,
} from "./common.ts";
import { findResourceFault, isLegacyArn } from "./resources.ts";

/** The first fault of a policy that is attached to a user, group or role, or limits one. */
export function findIdentityFault(
  { version, statements }: PolicyDocument,
  kind: "managed" | "inline",
): string | undefined {
  const resources = statements.flatMap(({ resource }) => resource?.set ?? []);
  const sids = sidsOf(statements);
  if (!isGrammatical({ version, statements })) return SYNTAX_FAULT;
  if (kind === "managed" && version !== "2012-10-17") {
    return "Policy document must be version 2012-10-17 or greater.";
  }
  if (statements.some(({ principal }) => principal !== undefined)) {
    return "Policy document should not specify a principal.";
  }
  if (!statements.every(isLegacyStatement)) return "The policy failed legacy parsing";
  if (sids.some((sid) => !/^[0-9A-Za-z]*$/.test(sid))) {
    return "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*";
  }
  if (hasDuplicates(sids)) return "Statement IDs (SID) in a single policy must be unique.";
  if (!statements.every(({ action }) => hasValues(action))) {
    return "Policy statement must contain actions.";
  }
  if (!allHaveVendor(statements)) return NO_VENDOR_FAULT;
  if (!statements.every(({ resource }) => hasValues(resource))) {
    return "Policy statement must contain resources.";
  }
  return findResourceFault(resources) ?? findActionFault(statements);
}

function isGrammatical({ version, statements }: PolicyDocument): boolean {
  return (
    VERSIONS.includes(version) &&
    statements.length > 0 &&
    statements.every(hasOnlyOperators) &&
    statements.every(({ effect = "" }) => /^(allow|deny)$/i.test(effect))
  );
}

function hasValues(element: StatementSource["action"]): boolean {
  return element !== undefined && element.set.length > 0;
}

/** Whether AWS's oldest parser reads it, which knows less and comes before the one with the better messages. */
function isLegacyStatement({ effect, conditions, resource }: StatementSource): boolean {
  const dates = conditions
    .filter(({ operator }) => /^(?:\w+:)?Date/.test(operator))
    .flatMap(({ values }) => values);
  return (
    (effect === "Allow" || effect === "Deny") &&
    dates.every((date) => readDate(date) !== undefined) &&
    (resource?.set ?? []).every(isLegacyArn)
  );
}

import { ApiError } from "../../lib/errors.ts";

/** The error for a filter pattern that cannot be read. `what` says where. */
export function invalidPattern(what: string): ApiError {
  return new ApiError("InvalidParameterException", `Invalid filter pattern: ${what}`);
}

/** The error for a term with characters that have to stand in quotes. */
export function invalidTerm(term: string): ApiError {
  return invalidPattern(`Invalid character(s) in term '${term}'`);
}

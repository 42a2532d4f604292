import { ApiError } from "../lib/errors.ts";

interface PageRequest {
  readonly MaxResults?: number | undefined;
  readonly NextToken?: string | undefined;
}

/** One page of entries that are in order of name. The token is the last name shown: right whatever was made or deleted meanwhile. */
export function pageOf<T>(
  entries: readonly T[],
  { MaxResults, NextToken }: PageRequest,
  limit: { readonly max: number; readonly usual: number },
  nameOf: (entry: T) => string,
): { readonly page: readonly T[]; readonly next: { readonly NextToken?: string } } {
  const count = MaxResults ?? limit.usual;
  if (count < 1 || count > limit.max) {
    const rule = count < 1 ? "greater than or equal to 1" : `less than or equal to ${limit.max}`;
    throw new ApiError(
      "ValidationException",
      `1 validation error detected: Value '${count}' at 'maxResults' failed to satisfy constraint: Member must have value ${rule}`,
    );
  }
  const after = NextToken === undefined ? undefined : readToken(NextToken);
  const rest = after === undefined ? entries : entries.filter((entry) => nameOf(entry) > after);
  const page = rest.slice(0, count);
  const last = page.at(-1);
  if (last === undefined || rest.length <= count) return { page, next: {} };
  return { page, next: { NextToken: `p.${Buffer.from(nameOf(last)).toString("base64url")}` } };
}

function readToken(token: string): string {
  if (/^p\.[A-Za-z0-9_-]+$/.test(token)) return Buffer.from(token.slice(2), "base64url").toString();
  throw new ApiError("InvalidNextToken", "The specified token is not valid.");
}

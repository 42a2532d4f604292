import { ApiError } from "../../lib/errors.ts";

/** What a caller says about the page they want. */
export interface PageInput {
  readonly maxResults?: number | undefined;
  readonly nextToken?: string | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Absent on the last page. */
  readonly nextToken?: string;
}

/** ECS: most lists give up to 100, and as many if not told otherwise. */
const PAGE_ITEMS_MAX = 100;

export interface PageOptions<T> {
  /** Unique, and in string order over all items. */
  readonly keyOf: (item: T) => string;
  readonly order?: "ASC" | "DESC";
  /** Items of the largest page, and of one for which no size is given. Default: {@link PAGE_ITEMS_MAX}. */
  readonly max?: number;
}

/**
 * One page of items, which come in any order. The token is the last key seen, so that a page neither repeats nor misses what
 * stays while other things come and go. Throws InvalidParameterException for a token that is not ours.
 */
export function pageOf<T>(
  all: readonly T[],
  input: PageInput,
  { keyOf, order = "ASC", max = PAGE_ITEMS_MAX }: PageOptions<T>,
): Page<T> {
  const maxResults = pageSizeOf(input, max);
  const sign = order === "ASC" ? 1 : -1;
  const compare = (a: string, b: string): number => (a === b ? 0 : a < b ? -sign : sign);
  const last = input.nextToken === undefined ? undefined : decodeToken(input.nextToken);
  const rest = all
    .filter((item) => last === undefined || compare(keyOf(item), last) > 0)
    .toSorted((a, b) => compare(keyOf(a), keyOf(b)));
  const items = rest.slice(0, maxResults);
  const end = items.at(-1);
  return rest.length > items.length && end !== undefined
    ? { items, nextToken: encodeToken(keyOf(end)) }
    : { items };
}

/**
 * The same of items that are in the order of their keys and that there may be very many of: `itemsAfter` gives those behind a
 * key (empty: all), and is read no further than the page goes.
 */
export function pageInOrder<T>(
  itemsAfter: (key: string) => Iterable<T>,
  input: PageInput,
  { keyOf, max = PAGE_ITEMS_MAX }: Omit<PageOptions<T>, "order">,
): Page<T> {
  const maxResults = pageSizeOf(input, max);
  const items: T[] = [];
  const last = input.nextToken === undefined ? "" : decodeToken(input.nextToken);
  for (const item of itemsAfter(last)) {
    const end = items.at(-1);
    if (items.length === maxResults && end !== undefined) {
      return { items, nextToken: encodeToken(keyOf(end)) };
    }
    items.push(item);
  }
  return { items };
}

function pageSizeOf(input: PageInput, max: number): number {
  const { maxResults = max } = input;
  if (Number.isInteger(maxResults) && maxResults >= 1 && maxResults <= max) return maxResults;
  throw new ApiError(
    "InvalidParameterException",
    `maxResults must be between 1 and ${max}, not ${maxResults}.`,
  );
}

const TOKEN_PREFIX = "after:";

function encodeToken(key: string): string {
  return Buffer.from(TOKEN_PREFIX + key).toString("base64url");
}

function decodeToken(token: string): string {
  const text = Buffer.from(token, "base64url").toString();
  if (!text.startsWith(TOKEN_PREFIX)) {
    throw new ApiError("InvalidParameterException", "Invalid token.");
  }
  return text.slice(TOKEN_PREFIX.length);
}

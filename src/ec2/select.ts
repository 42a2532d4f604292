import type { Filter, Tag } from "@aws-sdk/client-ec2";
import { ApiError } from "../lib/errors.ts";

/** What every Describe operation of EC2 does alike: ids, filters, pages (EC2 API reference, "Filtering", "Pagination"). */

/** One kind of thing that can be described. */
export interface Noun<T> {
  /** The parameter that takes its ids: `VpcIds`. */
  readonly idsName: string;
  readonly idOf: (item: T) => string;
  /** EC2's code and words for an id that there is not. */
  readonly notFound: (id: string) => ApiError;
  /** By the filter's name: the values that an item has. Tags need no row. */
  readonly filters: Readonly<Record<string, (item: T) => readonly (string | undefined)[]>>;
  readonly tagsOf?: (item: T) => readonly Tag[];
}

/** What a caller says about what they want to see. */
export interface Selection {
  readonly ids?: readonly string[] | undefined;
  readonly Filters?: readonly Filter[] | undefined;
  readonly MaxResults?: number | undefined;
  readonly NextToken?: string | undefined;
  readonly DryRun?: boolean | undefined;
}

export interface Selected<T> {
  readonly items: readonly T[];
  /** Absent on the last page. */
  readonly NextToken?: string;
}

/** EC2: items of one page. */
const PAGE_ITEMS_MIN = 5;
const PAGE_ITEMS_MAX = 1000;
/** EC2: filters of one call, and values of one filter. */
const FILTERS_MAX = 50;
const FILTER_VALUES_MAX = 200;

/** The items that a call asks for, in the order of their ids. Throws EC2's errors for what cannot be asked. */
export function select<T>(noun: Noun<T>, all: readonly T[], selection: Selection): Selected<T> {
  const { ids = [], Filters = [], MaxResults, NextToken, DryRun } = selection;
  const tests = Filters.map((filter) => readFilter(noun, filter));
  if (Filters.length > FILTERS_MAX) {
    throw new ApiError("FilterLimitExceeded", `A call has at most ${FILTERS_MAX} filters.`);
  }
  checkPage(noun, selection);
  if (DryRun) {
    throw new ApiError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", {
      status: 412,
    });
  }
  const byId = new Map(all.map((item) => [noun.idOf(item), item]));
  const lost = ids.find((id) => !byId.has(id));
  if (lost !== undefined) throw noun.notFound(lost);
  const named = ids.length === 0 ? [...byId.keys()] : [...new Set(ids)];
  const found = named
    .toSorted()
    .flatMap((id) => byId.get(id) ?? [])
    .filter((item) => tests.every((test) => test(item)));
  return pageOf(noun, found, MaxResults, NextToken);
}

function checkPage<T>({ idsName }: Noun<T>, { ids = [], MaxResults, NextToken }: Selection): void {
  if (ids.length > 0 && (MaxResults !== undefined || NextToken !== undefined)) {
    const parameter = MaxResults === undefined ? "nextToken" : "maxResults";
    throw new ApiError(
      "InvalidParameterCombination",
      `The parameter ${lowerFirst(idsName)} cannot be used with the parameter ${parameter}`,
    );
  }
  const isSize = (size: number): boolean =>
    Number.isInteger(size) && size >= PAGE_ITEMS_MIN && size <= PAGE_ITEMS_MAX;
  if (MaxResults === undefined || isSize(MaxResults)) return;
  throw new ApiError(
    "InvalidParameterValue",
    `Value ( ${MaxResults} ) for parameter maxResults is invalid. Expecting a value between ${PAGE_ITEMS_MIN} and ${PAGE_ITEMS_MAX}.`,
  );
}

/** The token is the last id seen, so that a page neither repeats nor misses what stays while other things come and go. */
function pageOf<T>(
  { idOf }: Noun<T>,
  found: readonly T[],
  sizeMax: number | undefined,
  token: string | undefined,
): Selected<T> {
  const after = token === undefined ? "" : readToken(token);
  const rest = found.filter((item) => idOf(item) > after);
  const items = rest.slice(0, sizeMax ?? PAGE_ITEMS_MAX);
  const last = items.at(-1);
  return rest.length > items.length && last !== undefined
    ? { items, NextToken: Buffer.from(TOKEN_PREFIX + idOf(last)).toString("base64url") }
    : { items };
}

const TOKEN_PREFIX = "after:";

function readToken(token: string): string {
  const text = Buffer.from(token, "base64url").toString();
  if (text.startsWith(TOKEN_PREFIX)) return text.slice(TOKEN_PREFIX.length);
  throw new ApiError("InvalidNextToken", "The specified nextToken is not valid.");
}

type Test<T> = (item: T) => boolean;

/** Any of a filter's values is enough; `*` and `?` stand for any characters and any one. */
function readFilter<T>(noun: Noun<T>, { Name = "", Values = [] }: Filter): Test<T> {
  const valuesOf = fieldOf(noun, Name);
  if (valuesOf === undefined) {
    throw new ApiError("InvalidParameterValue", `The filter '${Name.slice(0, 128)}' is invalid`);
  }
  if (Values.length > FILTER_VALUES_MAX) {
    throw new ApiError("FilterLimitExceeded", `A filter has at most ${FILTER_VALUES_MAX} values.`);
  }
  const patterns = Values.map(toMatcher);
  return (item) =>
    valuesOf(item).some(
      (value) => value !== undefined && patterns.some((matches) => matches(value)),
    );
}

function fieldOf<T>(
  { filters, tagsOf = () => [] }: Noun<T>,
  name: string,
): ((item: T) => readonly (string | undefined)[]) | undefined {
  if (Object.hasOwn(filters, name)) return filters[name];
  if (name === "tag-key") return (item) => tagsOf(item).map(({ Key }) => Key);
  if (!name.startsWith("tag:")) return undefined;
  const key = name.slice("tag:".length);
  return (item) => tagsOf(item).flatMap(({ Key, Value }) => (Key === key ? [Value] : []));
}

/**
 * A matcher without backtracking: after a `*` the next part is looked for from the left, which finds a match if there is
 * one. `\` takes the next character as it is.
 */
function toMatcher(pattern: string): (text: string) => boolean {
  const parts: string[][] = [[]];
  for (let index = 0; index < pattern.length; index++) {
    const character = pattern[index] ?? "";
    if (character === "*") parts.push([]);
    else if (character === "\\") parts.at(-1)?.push(pattern[++index] ?? "\\");
    else parts.at(-1)?.push(character === "?" ? ANY : character);
  }
  return (text) => {
    const [first = [], ...others] = parts;
    if (!isAt(text, 0, first)) return false;
    if (others.length === 0) return text.length === first.length;
    let from = first.length;
    for (const part of others.slice(0, -1)) {
      while (from <= text.length - part.length && !isAt(text, from, part)) from++;
      if (from > text.length - part.length) return false;
      from += part.length;
    }
    const last = others.at(-1) ?? [];
    return text.length - last.length >= from && isAt(text, text.length - last.length, last);
  };
}

/** Stands for `?` among characters, none of which is empty. */
const ANY = "";

function isAt(text: string, from: number, part: readonly string[]): boolean {
  return (
    from + part.length <= text.length &&
    part.every((character, index) => character === ANY || character === text[from + index])
  );
}

function lowerFirst(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}

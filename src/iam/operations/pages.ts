import { PAGE_ITEMS } from "../limits.ts";
import { validationError } from "./errors.ts";
import { checkNumber } from "./validate.ts";

/** What every listing of IAM takes. */
export interface PageInput {
  readonly Marker?: string | undefined;
  readonly MaxItems?: number | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** As it stands in the answer. */
  readonly position: { readonly IsTruncated: boolean; readonly Marker?: string };
}

/**
 * One page of a listing in order of `keyOf`, which must tell all items apart. The marker says behind which item the
 * page ended, so that items that come or go meanwhile leave none out that stands still.
 */
export function pageOf<T>(
  items: readonly T[],
  { Marker, MaxItems }: PageInput,
  keyOf: (item: T) => string,
): Page<T> {
  const limit = checkNumber(MaxItems, "maxItems", PAGE_ITEMS);
  const after = Marker === undefined ? undefined : parseMarker(Marker);
  const rest = items
    .map((item) => ({ item, key: keyOf(item) }))
    .filter(({ key }) => after === undefined || key > after)
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  const isTruncated = rest.length > page.length && last !== undefined;
  return {
    items: page.map(({ item }) => item),
    position: isTruncated
      ? { IsTruncated: true, Marker: formatMarker(last.key) }
      : { IsTruncated: false },
  };
}

/** Names are listed whatever their case. */
export function byName(name: string): string {
  return name.toLowerCase();
}

function formatMarker(key: string): string {
  return Buffer.from(`after:${key}`).toString("base64url");
}

function parseMarker(marker: string): string {
  const text = Buffer.from(marker, "base64url").toString();
  if (text.startsWith("after:")) return text.slice("after:".length);
  throw validationError(`The specified value for marker is invalid: ${marker.slice(0, 100)}`);
}

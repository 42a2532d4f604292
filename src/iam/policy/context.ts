/**
 * The request context: what is known of a call, by condition key in lower case (`aws:sourceip`,
 * `aws:requesttag/team`). A list is a multivalued key (`aws:tagkeys`); an empty list counts as absent.
 */
export type Context = Readonly<Record<string, string | readonly string[]>>;

const NOTHING: readonly string[] = [];

/** The values of a key (in lower case); none if it is absent. Keys come from users: only own properties count. */
export function valuesOf(context: Context, key: string): readonly string[] {
  const value = Object.hasOwn(context, key) ? context[key] : undefined;
  if (value === undefined) return NOTHING;
  return typeof value === "string" ? [value] : value;
}

/** The value of a single-valued key; multivalued keys have none. */
export function singleValueOf(context: Context, key: string): string | undefined {
  const value = Object.hasOwn(context, key) ? context[key] : undefined;
  return typeof value === "string" ? value : undefined;
}

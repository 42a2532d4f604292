/** AWS's rules for tags, which services share; each has errors of its own. */

/** The same in every service that documents it. */
export const TAG_TEXT: RegExp = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
export const TAGS_MAX = 50;
const KEY_LENGTH_MAX = 128;
const VALUE_LENGTH_MAX = 256;

/** What AWS does not take. */
export type TagFault =
  | { readonly part: "key" | "value"; readonly key: string }
  | { readonly part: "count" };

/** Tags as they are stored. Throws what `refuse` makes of the first fault. */
export function storedTags(
  tags: readonly { readonly Key?: string | undefined; readonly Value?: string | undefined }[],
  refuse: (fault: TagFault) => Error,
): Record<string, string> {
  // No record yet: one would not take `__proto__`.
  const stored = new Map<string, string>();
  for (const { Key: key = "", Value: value = "" } of tags) {
    const isKey = key.length >= 1 && key.length <= KEY_LENGTH_MAX && TAG_TEXT.test(key);
    if (!isKey || /^aws:/i.test(key)) throw refuse({ part: "key", key });
    if (value.length > VALUE_LENGTH_MAX || !TAG_TEXT.test(value)) {
      throw refuse({ part: "value", key });
    }
    stored.set(key, value);
  }
  if (stored.size > TAGS_MAX) throw refuse({ part: "count" });
  return Object.fromEntries(stored);
}

/** Stored tags with others added to them. Throws what `refuse` makes of the first fault. */
export function addedTags(
  former: Readonly<Record<string, string>>,
  added: Readonly<Record<string, string>>,
  refuse: (fault: TagFault) => Error,
): Record<string, string> {
  const tags = { ...former, ...added };
  if (Object.keys(tags).length > TAGS_MAX) throw refuse({ part: "count" });
  return tags;
}

/** Stored tags without some. */
export function withoutTags(
  former: Readonly<Record<string, string>>,
  keys: readonly string[] = [],
): Record<string, string> {
  const gone = new Set(keys);
  return Object.fromEntries(Object.entries(former).filter(([key]) => !gone.has(key)));
}

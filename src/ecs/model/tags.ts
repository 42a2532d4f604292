import type { Tag } from "./cluster.ts";

/** ECS: tags per resource, not counting `aws:` ones. */
const TAGS_MAX = 50;
const KEY_LENGTH_MAX = 128;
const VALUE_LENGTH_MAX = 256;
/** AWS: what keys and values are made of. */
const TEXT = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
/** AWS: the beginning of keys that only AWS may use, in any case. */
const RESERVED = /^aws:/i;

/** A tag as the API takes it: both members may be missing. */
interface GivenTag {
  readonly key?: string | undefined;
  readonly value?: string | undefined;
}

/** Tags as they are stored: a value that was not given is empty. */
export function normaliseTags(tags: readonly GivenTag[] = []): readonly Tag[] {
  return tags.map(({ key = "", value = "" }) => ({ key, value }));
}

/** What is wrong with tags that a caller gave; undefined when nothing is. */
export function findTagViolation(tags: readonly GivenTag[] = []): string | undefined {
  const violation =
    findTagCountViolation(normaliseTags(tags)) ??
    findTagKeysViolation(tags.map(({ key = "" }) => key));
  if (violation !== undefined) return violation;
  const keys = new Set<string>();
  for (const { key = "", value = "" } of tags) {
    if (value.length > VALUE_LENGTH_MAX) {
      return `The value of tag '${key}' has more than ${VALUE_LENGTH_MAX} characters.`;
    }
    if (!TEXT.test(value)) return `Tag '${key}' contains invalid characters.`;
    if (keys.has(key)) return `Tag '${key}' is given more than once.`;
    keys.add(key);
  }
  return undefined;
}

/** What is wrong with the keys of tags that a caller wants to write or to remove. */
export function findTagKeysViolation(keys: readonly string[] = []): string | undefined {
  for (const key of keys) {
    if (key.length < 1 || key.length > KEY_LENGTH_MAX) {
      return `Tag keys must have 1 to ${KEY_LENGTH_MAX} characters.`;
    }
    if (!TEXT.test(key)) return `Tag '${key}' contains invalid characters.`;
    if (RESERVED.test(key)) return `Tag '${key}' has the reserved prefix 'aws:'.`;
  }
  return undefined;
}

/** Whether these are more tags than a resource can have. */
export function findTagCountViolation(tags: readonly Tag[]): string | undefined {
  return tags.filter(({ key }) => !RESERVED.test(key)).length > TAGS_MAX
    ? `A resource can have at most ${TAGS_MAX} tags.`
    : undefined;
}

/** Two lists of tags in one; where both have a key, `winning` has its way. */
export function mergeTags(base: readonly Tag[], winning: readonly Tag[]): readonly Tag[] {
  const keys = new Set(winning.map(({ key }) => key));
  return [...base.filter(({ key }) => !keys.has(key)), ...winning];
}

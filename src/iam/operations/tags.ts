import type { Tag } from "@aws-sdk/client-iam";
import { TAGS_MAX } from "../limits.ts";
import type { Tags } from "../model/records.ts";
import { invalidInput, limitExceeded } from "./errors.ts";
import { checkLength, constraintViolation } from "./validate.ts";

/** Tags as IAM has them: their keys are told apart without regard to case, and kept as they were given. */

const KEY = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]+$/u;
const VALUE = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
const PATTERN = "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]";
const KEY_LENGTH_MAX = 128;
const VALUE_LENGTH_MAX = 256;

/** Checks the tags of a call. Throws ValidationError, InvalidInput for keys that are double or AWS's. */
export function checkTags(tags: readonly Tag[] = []): Tags {
  if (tags.length > TAGS_MAX) {
    const rule = `Member must have length less than or equal to ${TAGS_MAX}`;
    throw constraintViolation("[…]", "tags", rule);
  }
  const checked = tags.map(({ Key = "", Value = "" }, index) => {
    const at = `tags.${index + 1}.member`;
    checkKey(Key, `${at}.key`);
    checkLength(Value, `${at}.value`, 0, VALUE_LENGTH_MAX);
    if (!VALUE.test(Value)) throw patternViolation(Value, `${at}.value`, "*");
    return [Key, Value] as const;
  });
  if (new Set(checked.map(([key]) => key.toLowerCase())).size < checked.length) {
    throw invalidInput("Duplicate tag keys found. Please note that Tag keys are case insensitive.");
  }
  return Object.fromEntries(checked);
}

function checkKey(key: string, member: string): void {
  checkLength(key, member, 1, KEY_LENGTH_MAX);
  if (!KEY.test(key)) throw patternViolation(key, member, "+");
  if (/^aws:/i.test(key)) {
    throw invalidInput(`Tag keys that begin with "aws:" are AWS's own; ${key} is one of them.`);
  }
}

function patternViolation(value: string, member: string, repeat: string): Error {
  const rule = `Member must satisfy regular expression pattern: ${PATTERN}${repeat}`;
  return constraintViolation(value, member, rule);
}

/** With further tags, which take the place of those of the same key. Throws LimitExceeded. */
export function withTags(tags: Tags, added: Tags): Tags {
  const keys = new Set(Object.keys(added).map((key) => key.toLowerCase()));
  const kept = Object.entries(tags).filter(([key]) => !keys.has(key.toLowerCase()));
  const all = [...kept, ...Object.entries(added)];
  if (all.length > TAGS_MAX) {
    throw limitExceeded("The number of tags has reached the maximum limit.");
  }
  return Object.fromEntries(all);
}

/** Without the tags of these keys; keys that no tag has do not matter. */
export function withoutTags(tags: Tags, keys: readonly string[]): Tags {
  for (const [index, key] of keys.entries()) {
    checkLength(key, `tagKeys.${index + 1}.member`, 1, KEY_LENGTH_MAX);
  }
  const removed = new Set(keys.map((key) => key.toLowerCase()));
  return Object.fromEntries(
    Object.entries(tags).filter(([key]) => !removed.has(key.toLowerCase())),
  );
}

export function presentTags(tags: Tags): Tag[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

/** As a member of an answer: absent when there are none. */
export function tagsMember(tags: Tags): { Tags?: Tag[] } {
  const list = presentTags(tags);
  return list.length === 0 ? {} : { Tags: list };
}

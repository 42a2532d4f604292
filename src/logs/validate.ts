import { TAG_TEXT } from "../door/tags.ts";
import { ApiError } from "../lib/errors.ts";

/** The rules of CloudWatch Logs for single members, with its messages. All throw InvalidParameterException. */

const GROUP_NAME = /^[.\-_/#A-Za-z0-9]+$/;
const GROUP_NAME_PATTERN = "[\\.\\-_/#A-Za-z0-9]+";
const STREAM_NAME = /^[^:*]+$/;
const NAME_LENGTH_MAX = 512;
/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html */
export const TAGS_MAX = 50;
const TAG_KEY_LENGTH_MAX = 128;
const TAG_VALUE_LENGTH_MAX = 256;
/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html */
const FILTER_PATTERN_LENGTH_MAX = 1024;

/** The error for everything in a request that breaks a rule. */
export function invalidParameter(message: string): ApiError {
  return new ApiError("InvalidParameterException", message);
}

/** The form in which AWS reports that a member breaks a rule of its shape. */
export function constraintViolation(value: unknown, member: string, constraint: string): ApiError {
  return invalidParameter(
    `1 validation error detected: Value '${value}' at '${member}' failed to satisfy constraint: ${constraint}`,
  );
}

/** Checks a group's name, or a prefix of one. */
export function checkGroupName(name: string | undefined, member = "logGroupName"): string {
  const text = checkLength(name, member, NAME_LENGTH_MAX);
  if (GROUP_NAME.test(text)) return text;
  const rule = `Member must satisfy regular expression pattern: ${GROUP_NAME_PATTERN}`;
  throw constraintViolation(text, member, rule);
}

/** Checks a stream's name, or a prefix of one. */
export function checkStreamName(name: string | undefined, member = "logStreamName"): string {
  const text = checkLength(name, member, NAME_LENGTH_MAX);
  // Half a surrogate pair is no text: it has no UTF-8 form and so no key.
  if (STREAM_NAME.test(text) && text.isWellFormed()) return text;
  const rule = "Member must satisfy regular expression pattern: [^:*]*";
  throw constraintViolation(text, member, rule);
}

/** Checks a page size from 1 to `max`; `max` when absent. */
export function checkLimit(limit: number | undefined, max: number): number {
  if (limit === undefined) return max;
  if (limit > max) {
    const rule = `Member must have value less than or equal to ${max}`;
    throw constraintViolation(limit, "limit", rule);
  }
  if (limit >= 1) return limit;
  throw constraintViolation(limit, "limit", "Member must have value greater than or equal to 1");
}

/** Checks a point in time, in epoch milliseconds. */
export function checkTime(value: number | undefined, member: string): number {
  if (value === undefined || !Number.isSafeInteger(value) || value < 0) {
    const rule = "Member must have value greater than or equal to 0";
    throw constraintViolation(value, member, rule);
  }
  return value;
}

/** Checks the tags of a new resource. */
export function checkTags(tags: Readonly<Record<string, string>>): void {
  const entries = Object.entries(tags);
  if (entries.length > TAGS_MAX) {
    const rule = `Member must have length less than or equal to ${TAGS_MAX}`;
    throw constraintViolation("{…}", "tags", rule);
  }
  for (const [key, value] of entries) {
    checkTagText(checkLength(key, "tags.key", TAG_KEY_LENGTH_MAX), "tags.key");
    if (value !== "") {
      checkTagText(checkLength(value, "tags.value", TAG_VALUE_LENGTH_MAX), "tags.value");
    }
    if (/^aws:/i.test(key)) throw invalidParameter("Tag keys starting with aws: are reserved.");
  }
}

/** Checks the keys of tags that are to go. */
export function checkTagKeys(keys: readonly string[], member: string): readonly string[] {
  if (keys.length > TAGS_MAX) {
    const rule = `Member must have length less than or equal to ${TAGS_MAX}`;
    throw constraintViolation("[…]", member, rule);
  }
  return keys.map((key) => checkTagText(checkLength(key, member, TAG_KEY_LENGTH_MAX), member));
}

function checkTagText(text: string, member: string): string {
  if (TAG_TEXT.test(text)) return text;
  const rule =
    "Member must satisfy regular expression pattern: ^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+)$";
  throw constraintViolation(text, member, rule);
}

/** Checks the length of a filter pattern; absent is empty. */
export function checkFilterPattern(pattern: string | undefined, member: string): string {
  if (pattern === undefined || pattern.length <= FILTER_PATTERN_LENGTH_MAX) return pattern ?? "";
  const rule = `Member must have length less than or equal to ${FILTER_PATTERN_LENGTH_MAX}`;
  throw constraintViolation(pattern, member, rule);
}

function checkLength(text: string | undefined, member: string, max: number): string {
  if (text === undefined || text.length === 0) {
    const rule = "Member must have length greater than or equal to 1";
    throw constraintViolation(text ?? "null", member, rule);
  }
  if (text.length <= max) return text;
  throw constraintViolation(text, member, `Member must have length less than or equal to ${max}`);
}

import type { Tag } from "@aws-sdk/client-sts";
import type { SessionFacts } from "../door/service.ts";
import { constraintViolation, validationError } from "./validate.ts";

export type Tags = Readonly<Record<string, string>>;

/** Tags of a session to be made, and which of them go on into the sessions that it makes. */
export interface SessionTags {
  readonly tags: Tags;
  readonly transitiveTagKeys: readonly string[];
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html */
const TAGS_MAX = 50;
const KEY_LENGTH_MAX = 128;
const VALUE_LENGTH_MAX = 256;
const TEXT = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

/**
 * The tags that a caller passes, with those that its own session hands on. Keys have no case when they are compared.
 * Throws ValidationError.
 */
export function readSessionTags(
  given: readonly Tag[] = [],
  transitive: readonly string[] = [],
  session: SessionFacts | undefined,
): SessionTags {
  const inherited = inheritedTags(session);
  const tags = new Map<string, readonly [key: string, value: string]>();
  if (given.length > TAGS_MAX) {
    throw constraintViolation("{…}", "tags", `have length less than or equal to ${TAGS_MAX}`);
  }
  for (const { Key: key = "", Value: value = "" } of given) {
    checkTag(key, value);
    const lower = key.toLowerCase();
    if (tags.has(lower)) {
      throw validationError(
        "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
      );
    }
    if (inherited.has(lower)) {
      throw validationError(
        "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.",
      );
    }
    tags.set(lower, [key, value]);
  }
  for (const key of transitive) {
    if (tags.has(key.toLowerCase())) continue;
    throw validationError(
      "The specified transitive tag key must be included in the requested tags.",
    );
  }
  return {
    tags: Object.fromEntries([...inherited.values(), ...tags.values()]),
    transitiveTagKeys: [...[...inherited.values()].map(([key]) => key), ...transitive],
  };
}

/** By key in lower case. */
function inheritedTags({
  tags = {},
  transitiveTagKeys = [],
}: Partial<SessionFacts> = {}): ReadonlyMap<string, readonly [key: string, value: string]> {
  return new Map(transitiveTagKeys.map((key) => [key.toLowerCase(), [key, tags[key] ?? ""]]));
}

function checkTag(key: string, value: string): void {
  if (key.length < 1 || key.length > KEY_LENGTH_MAX || !TEXT.test(key)) {
    throw constraintViolation(
      key,
      "tags.member.key",
      `have 1 to ${KEY_LENGTH_MAX} characters of a tag`,
    );
  }
  if (/^aws:/i.test(key)) throw validationError(`Tag keys cannot begin with aws: ${key}`);
  if (value.length > VALUE_LENGTH_MAX || !TEXT.test(value)) {
    throw constraintViolation(
      value,
      "tags.member.value",
      `have up to ${VALUE_LENGTH_MAX} characters of a tag`,
    );
  }
}

import type {
  Tag,
  TagResourceRequest,
  UntagResourceRequest,
} from "@aws-sdk/client-secrets-manager";
import type { Call } from "../door/service.ts";
import type { SecretsDeps } from "./deps.ts";
import { invalidParameter } from "./find.ts";
import { changeSecret } from "./values.ts";

/** https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html */
const TAGS_MAX = 50;
const TAG_TEXT = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

/** Tags as they are stored. Throws InvalidParameterException. */
export function toTags(tags: readonly Tag[] = []): Record<string, string> {
  const stored: Record<string, string> = {};
  for (const { Key = "", Value = "" } of tags) {
    if (Key.length < 1 || Key.length > 128 || !TAG_TEXT.test(Key) || /^aws:/i.test(Key)) {
      throw invalidParameter(`The tag key ${JSON.stringify(Key)} is not valid.`);
    }
    if (Value.length > 256 || !TAG_TEXT.test(Value)) {
      throw invalidParameter(`The value of tag ${Key} is not valid.`);
    }
    stored[Key] = Value;
  }
  if (Object.keys(stored).length > TAGS_MAX) {
    throw invalidParameter(`A secret has at most ${TAGS_MAX} tags.`);
  }
  return stored;
}

export async function tagResource(
  deps: SecretsDeps,
  input: TagResourceRequest,
  call: Call,
): Promise<Record<never, never>> {
  const added = toTags(input.Tags);
  await changeSecret(deps, input.SecretId, call, ({ secret }) => {
    const tags = { ...secret.tags, ...added };
    toTags(Object.entries(tags).map(([Key, Value]) => ({ Key, Value })));
    return { secret: { ...secret, tags }, writes: [] };
  });
  return {};
}

export async function untagResource(
  deps: SecretsDeps,
  input: UntagResourceRequest,
  call: Call,
): Promise<Record<never, never>> {
  const gone = new Set(input.TagKeys);
  await changeSecret(deps, input.SecretId, call, ({ secret }) => {
    const kept = Object.entries(secret.tags).filter(([key]) => !gone.has(key));
    return { secret: { ...secret, tags: Object.fromEntries(kept) }, writes: [] };
  });
  return {};
}

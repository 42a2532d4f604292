import type {
  Tag,
  TagResourceRequest,
  UntagResourceRequest,
} from "@aws-sdk/client-secrets-manager";
import type { Call } from "../door/service.ts";
import { addedTags, storedTags, TAGS_MAX, type TagFault, withoutTags } from "../door/tags.ts";
import type { ApiError } from "../lib/errors.ts";
import type { SecretsDeps } from "./deps.ts";
import { invalidParameter } from "./find.ts";
import { changeSecret } from "./values.ts";

/** Tags as they are stored. Throws InvalidParameterException. */
export function toTags(tags: readonly Tag[] = []): Record<string, string> {
  return storedTags(tags, invalidTags);
}

function invalidTags(fault: TagFault): ApiError {
  switch (fault.part) {
    case "key":
      return invalidParameter(`The tag key ${JSON.stringify(fault.key)} is not valid.`);
    case "value":
      return invalidParameter(`The value of tag ${fault.key} is not valid.`);
    case "count":
      return invalidParameter(`A secret has at most ${TAGS_MAX} tags.`);
  }
}

export async function tagResource(
  deps: SecretsDeps,
  input: TagResourceRequest,
  call: Call,
): Promise<Record<never, never>> {
  const added = toTags(input.Tags);
  await changeSecret(deps, input.SecretId, call, ({ secret }) => {
    const tags = addedTags(secret.tags, added, invalidTags);
    return { secret: { ...secret, tags }, writes: [] };
  });
  return {};
}

export async function untagResource(
  deps: SecretsDeps,
  input: UntagResourceRequest,
  call: Call,
): Promise<Record<never, never>> {
  await changeSecret(deps, input.SecretId, call, ({ secret }) => {
    const tags = withoutTags(secret.tags, input.TagKeys);
    return { secret: { ...secret, tags }, writes: [] };
  });
  return {};
}

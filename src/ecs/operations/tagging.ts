import type {
  ListTagsForResourceRequest,
  ListTagsForResourceResponse,
  TagResourceRequest,
  TagResourceResponse,
  UntagResourceRequest,
  UntagResourceResponse,
} from "@aws-sdk/client-ecs";
import type { Call } from "../../door/service.ts";
import { ApiError } from "../../lib/errors.ts";
import { updateRecord } from "../../store/commit.ts";
import type { EcsDeps } from "../control/deps.ts";
import type { Tag } from "../model/cluster.ts";
import {
  findTagCountViolation,
  findTagKeysViolation,
  findTagViolation,
  mergeTags,
  normaliseTags,
} from "../model/tags.ts";
import type { EcsOperations } from "./ecs-operations.ts";
import { invalid } from "./invalid.ts";
import { requireTaggable, type Taggable } from "./taggable.ts";

/** The rows of operations on tags. */
export function taggingOperations(deps: EcsDeps): EcsOperations {
  return {
    TagResource: {
      support: "full",
      action: "ecs:TagResource",
      resources: ({ resourceArn }) => [resourceArn ?? "*"],
      handle: (input, call) => tagResource(deps, input, call),
    },
    UntagResource: {
      support: "full",
      action: "ecs:UntagResource",
      resources: ({ resourceArn }) => [resourceArn ?? "*"],
      handle: (input, call) => untagResource(deps, input, call),
    },
    ListTagsForResource: {
      support: "full",
      action: "ecs:ListTagsForResource",
      resources: ({ resourceArn }) => [resourceArn ?? "*"],
      handle: async (input, call) => listTags(deps, input, call),
    },
  };
}

async function tagResource(
  deps: EcsDeps,
  input: TagResourceRequest,
  call: Call,
): Promise<TagResourceResponse> {
  const violation = findTagViolation(input.tags);
  if (violation !== undefined) throw invalid(violation);
  const given = normaliseTags(input.tags);
  return changeTags(deps, input.resourceArn, call, (before) => {
    const after = mergeTags(before, given);
    const countViolation = findTagCountViolation(after);
    if (countViolation === undefined) return after;
    throw new ApiError("LimitExceededException", countViolation);
  });
}

async function untagResource(
  deps: EcsDeps,
  input: UntagResourceRequest,
  call: Call,
): Promise<UntagResourceResponse> {
  const violation = findTagKeysViolation(input.tagKeys);
  if (violation !== undefined) throw invalid(violation);
  const keys = new Set(input.tagKeys);
  return changeTags(deps, input.resourceArn, call, (before) =>
    before.filter(({ key }) => !keys.has(key)),
  );
}

/** Both operations answer with nothing. */
async function changeTags(
  deps: EcsDeps,
  resourceArn: string | undefined,
  call: Call,
  tagsAfter: (before: readonly Tag[]) => readonly Tag[],
): Promise<Record<string, never>> {
  const { key, words } = requireTaggable(
    deps.cache,
    call,
    resourceArn,
    "ResourceNotFoundException",
  );
  const changed = await updateRecord<Taggable>(deps, key, (resource) => {
    const violation = words.whyNot(resource);
    if (violation !== undefined) throw invalid(violation);
    return { ...resource, tags: tagsAfter(resource.tags) };
  });
  if (changed) return {};
  throw new ApiError("ResourceNotFoundException", words.missing);
}

/** This operation has no exception of its own for what is not there. */
function listTags(
  { cache }: EcsDeps,
  input: ListTagsForResourceRequest,
  call: Call,
): ListTagsForResourceResponse {
  const { key, words } = requireTaggable(
    cache,
    call,
    input.resourceArn,
    "InvalidParameterException",
  );
  const resource = cache.get(key)?.value as Taggable | undefined;
  const violation = resource && words.whyNot(resource);
  if (violation !== undefined) throw invalid(violation);
  return { tags: [...(resource?.tags ?? [])] };
}

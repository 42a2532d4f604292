import type {
  AddTagsToResourceRequest,
  ListTagsForResourceRequest,
  ListTagsForResourceResult,
  RemoveTagsFromResourceRequest,
  Tag,
} from "@aws-sdk/client-ssm";
import type { Call } from "../door/service.ts";
import { addedTags, storedTags, TAGS_MAX, type TagFault, withoutTags } from "../door/tags.ts";
import { ApiError } from "../lib/errors.ts";
import { updateRecord } from "../store/commit.ts";
import type { SsmDeps } from "./deps.ts";
import { type FoundParameter, getWholeRecord } from "./find.ts";
import type { Parameter } from "./model.ts";

/** Tags as they are stored. Throws ValidationException and TooManyTagsError. */
export function toTags(tags: readonly Tag[] = []): Record<string, string> {
  return storedTags(tags, invalidTags);
}

function invalidTags(fault: TagFault): ApiError {
  if (fault.part === "count") {
    return new ApiError("TooManyTagsError", `A parameter has at most ${TAGS_MAX} tags.`);
  }
  return new ApiError("ValidationException", `The tag ${JSON.stringify(fault.key)} is not valid.`);
}

export async function addTagsToResource(
  deps: SsmDeps,
  input: AddTagsToResourceRequest,
  call: Call,
): Promise<Record<never, never>> {
  const { record } = taggedParameter(deps, input, call);
  const added = toTags(input.Tags);
  await updateRecord(deps, record.key, (parameter: Parameter) => ({
    ...parameter,
    tags: addedTags(parameter.tags, added, invalidTags),
  }));
  return {};
}

export async function removeTagsFromResource(
  deps: SsmDeps,
  input: RemoveTagsFromResourceRequest,
  call: Call,
): Promise<Record<never, never>> {
  const { record } = taggedParameter(deps, input, call);
  await updateRecord(deps, record.key, (parameter: Parameter) => ({
    ...parameter,
    tags: withoutTags(parameter.tags, input.TagKeys),
  }));
  return {};
}

export async function listTagsForResource(
  deps: SsmDeps,
  input: ListTagsForResourceRequest,
  call: Call,
): Promise<ListTagsForResourceResult> {
  const { parameter } = taggedParameter(deps, input, call);
  return { TagList: Object.entries(parameter.tags).map(([Key, Value]) => ({ Key, Value })) };
}

interface Tagged {
  readonly ResourceType: string | undefined;
  readonly ResourceId: string | undefined;
}

/** Of all that Systems Manager can tag, parameters are here. */
function taggedParameter(
  deps: SsmDeps,
  { ResourceId, ResourceType }: Tagged,
  call: Call,
): FoundParameter {
  if (ResourceType !== "Parameter") {
    throw new ApiError(
      "InvalidResourceType",
      `There are no resources of type ${ResourceType} here.`,
    );
  }
  try {
    return getWholeRecord(deps, call, ResourceId);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new ApiError("InvalidResourceId", `The resource ID ${ResourceId} isn't valid.`);
  }
}

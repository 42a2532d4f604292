import type {
  AddTagsToResourceRequest,
  ListTagsForResourceRequest,
  ListTagsForResourceResult,
  RemoveTagsFromResourceRequest,
  Tag,
} from "@aws-sdk/client-ssm";
import type { Call } from "../door/service.ts";
import { ApiError } from "../lib/errors.ts";
import { updateRecord } from "../store/commit.ts";
import type { SsmDeps } from "./deps.ts";
import { type FoundParameter, getRecord } from "./find.ts";
import type { Parameter } from "./model.ts";

const TAGS_MAX = 50;
const TAG_TEXT = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

/** Tags as they are stored. Throws ValidationException and TooManyTagsError. */
export function toTags(tags: readonly Tag[] = []): Record<string, string> {
  const stored: Record<string, string> = {};
  for (const { Key = "", Value = "" } of tags) {
    const isKey = Key.length >= 1 && Key.length <= 128 && TAG_TEXT.test(Key) && !/^aws:/i.test(Key);
    if (!isKey || Value.length > 256 || !TAG_TEXT.test(Value)) {
      throw new ApiError("ValidationException", `The tag ${JSON.stringify(Key)} is not valid.`);
    }
    stored[Key] = Value;
  }
  if (Object.keys(stored).length <= TAGS_MAX) return stored;
  throw new ApiError("TooManyTagsError", `A parameter has at most ${TAGS_MAX} tags.`);
}

export async function addTagsToResource(
  deps: SsmDeps,
  input: AddTagsToResourceRequest,
  call: Call,
): Promise<Record<never, never>> {
  const { record } = taggedParameter(deps, input, call);
  const added = toTags(input.Tags);
  await updateRecord(deps, record.key, (parameter: Parameter) => {
    const tags = { ...parameter.tags, ...added };
    toTags(Object.entries(tags).map(([Key, Value]) => ({ Key, Value })));
    return { ...parameter, tags };
  });
  return {};
}

export async function removeTagsFromResource(
  deps: SsmDeps,
  input: RemoveTagsFromResourceRequest,
  call: Call,
): Promise<Record<never, never>> {
  const { record } = taggedParameter(deps, input, call);
  const gone = new Set(input.TagKeys);
  await updateRecord(deps, record.key, (parameter: Parameter) => {
    const kept = Object.entries(parameter.tags).filter(([key]) => !gone.has(key));
    return { ...parameter, tags: Object.fromEntries(kept) };
  });
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
    return getRecord(deps, call, ResourceId);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new ApiError("InvalidResourceId", `The resource ID ${ResourceId} isn't valid.`);
  }
}

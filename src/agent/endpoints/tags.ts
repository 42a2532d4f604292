import { ApiError, messageOf } from "../../lib/errors.ts";
import { isFargate } from "../task-record.ts";
import type { EndpointTask } from "./hub.ts";
import type { TagDocuments } from "./task-document.ts";

/** Containers wait for the answer: below the patience of their HTTP clients. */
const LOOKUP_MS_MAX = 4_000;

/** The tags of a task and of its container instance, asked for in the node's name; and which could not be had. */
export async function tagsOf(task: EndpointTask): Promise<TagDocuments> {
  // Capacity that nobody manages has no instance that a task could know of.
  const instanceArn = isFargate(task.record.task) ? undefined : task.agent.instanceArn();
  const [ofTask, ofInstance] = await Promise.all([
    lookUp(task, "TaskTags", task.arn),
    lookUp(task, "ContainerInstanceTags", instanceArn),
  ]);
  const errors = [ofTask, ofInstance].flatMap(({ error }) => (error === undefined ? [] : [error]));
  return {
    ...(ofTask.tags && { TaskTags: ofTask.tags }),
    ...(ofInstance.tags && { ContainerInstanceTags: ofInstance.tags }),
    ...(errors.length > 0 && { Errors: errors }),
  };
}

async function lookUp(
  { agent }: EndpointTask,
  field: string,
  resourceArn: string | undefined,
): Promise<{ readonly tags?: Record<string, string>; readonly error?: object }> {
  if (resourceArn === undefined) return {};
  try {
    const answer = (await agent.ecs.call(
      "ListTagsForResource",
      { resourceArn },
      AbortSignal.timeout(LOOKUP_MS_MAX),
    )) as { tags?: readonly { key?: string; value?: string }[] };
    const pairs = (answer.tags ?? []).map(({ key = "", value = "" }) => [key, value] as const);
    return pairs.length === 0 ? {} : { tags: Object.fromEntries(pairs) };
  } catch (error) {
    return {
      error: {
        ErrorField: field,
        ErrorCode: error instanceof ApiError ? error.code : undefined,
        ErrorMessage: messageOf(error),
        StatusCode: error instanceof ApiError ? error.status : undefined,
        ResourceARN: resourceArn,
      },
    };
  }
}

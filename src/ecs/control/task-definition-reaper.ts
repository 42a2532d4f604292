import type { CacheChange } from "../../store/cache.ts";
import { commit } from "../../store/commit.ts";
import type { Controller } from "../../store/controller.ts";
import { ecsKind, taskDefinitionKey } from "../model/keys.ts";
import type { Task } from "../model/task.ts";
import type { TaskDefinition } from "../model/task-definition.ts";
import type { EcsDeps } from "./deps.ts";

/**
 * Takes away definitions that are DELETE_IN_PROGRESS, each when the last task that runs by it has stopped. Nothing new
 * can come to refer to one: placement refuses them.
 */
export function createTaskDefinitionReaper(deps: EcsDeps): Controller {
  const isLeaving = (key: string): boolean => {
    const definition = deps.cache.get(key)?.value as TaskDefinition | undefined;
    return definition?.status === "DELETE_IN_PROGRESS";
  };
  return {
    name: "task-definition-reaper",
    keysFor: (change) => definitionOf(change).filter(isLeaving),
    allKeys: (cache) =>
      cache
        .list("/")
        .filter(({ key }) => ecsKind(key) === "task-definitions")
        .filter((record) => record.members(["status"]).status === "DELETE_IN_PROGRESS")
        .map(({ key }) => key),
    reconcile: async (key) => {
      const record = deps.cache.get(key);
      if (!record || !isLeaving(key)) return undefined;
      if (deps.cache.lookup("liveTasksByDefinition", key).length > 0) return undefined;
      const { revision } = record;
      const isGone = await commit(deps, [{ key, revision }], [{ key, value: undefined }]);
      // Whoever was faster has changed the record, and so brings it back here.
      if (isGone) deps.log.debug("a task definition is deleted", { key });
      return undefined;
    },
  };
}

/** The definition whose fate a change may decide: itself, or that of a task which has stopped. */
function definitionOf({ key, before, after }: CacheChange): readonly string[] {
  const kind = ecsKind(key);
  if (kind === "task-definitions") return after ? [key] : [];
  if (kind !== "tasks" || !before) return [];
  const task = before.value as Task;
  const hasEnded = !after || (after.value as Task).lastStatus === "STOPPED";
  return hasEnded ? [taskDefinitionKey(task, task.family, task.revision)] : [];
}

import type { Cache } from "../../store/cache.ts";
import type { Instance } from "../model/instance.ts";
import { FLEET_ACCOUNT_ID, FLEET_CLUSTER, instanceKey, instancesPrefix } from "../model/keys.ts";
import type { TaskSpec } from "../model/new-task.ts";
import { takenBy } from "../model/resources.ts";
import type { Task } from "../model/task.ts";
import type { Candidate, Snapshot } from "../scheduler/snapshot.ts";

/**
 * The instances that come into question for a task: those of its cluster, or for FARGATE those of the fleet, in the order
 * of their keys. Taken from the cache in one go, so that it is the state of one revision.
 */
export function takeSnapshot(
  cache: Cache,
  spec: TaskSpec,
  instanceIds: readonly string[] | undefined,
): Snapshot {
  const prefix =
    spec.launchType === "FARGATE"
      ? instancesPrefix({ accountId: FLEET_ACCOUNT_ID, region: spec.region }, FLEET_CLUSTER)
      : instancesPrefix(spec, spec.clusterName);
  const candidates = cache
    .list(prefix)
    .map(({ value }) => value as Instance)
    .filter(({ status, id }) => status !== "INACTIVE" && (instanceIds?.includes(id) ?? true))
    .map((instance) => candidateFor(cache, spec, instance));
  return { candidates };
}

function candidateFor(cache: Cache, spec: TaskSpec, instance: Instance): Candidate {
  const tasks = tasksOf(cache, instance);
  const groups = new Map<string, number>();
  for (const task of tasks) {
    // A group is a name within its cluster: the fleet's instances run tasks of many.
    const isNeighbour =
      task.accountId === spec.accountId &&
      task.clusterName === spec.clusterName &&
      task.lastStatus !== "STOPPED";
    if (isNeighbour) groups.set(task.group, (groups.get(task.group) ?? 0) + 1);
  }
  return {
    instance,
    taken: takenOn(cache, instance),
    runningTasksCount: tasks.filter(({ lastStatus }) => lastStatus === "RUNNING").length,
    groups,
  };
}

/** An instance's tasks that are not STOPPED. */
export function tasksOf(cache: Cache, instance: Instance): readonly Task[] {
  const key = instanceKey(instance, instance.clusterName, instance.id);
  return cache.lookup("liveTasksByInstance", key).map(({ value }) => value as Task);
}

/** What all tasks on an instance's machine take of it, those of its other registrations included. */
export function takenOn(
  cache: Cache,
  { region, ec2InstanceId }: Instance,
): ReturnType<typeof takenBy> {
  const tasks = cache.lookup("tasksByHost", `${region}/${ec2InstanceId}`);
  return takenBy(tasks.map(({ value }) => value as Task));
}

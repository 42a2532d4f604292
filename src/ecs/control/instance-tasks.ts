import type { Cache } from "../../store/cache.ts";
import type { Instance } from "../model/instance.ts";
import { instanceKey } from "../model/keys.ts";
import { takenBy } from "../model/resources.ts";
import type { Task } from "../model/task.ts";

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

import type { Cache, CacheChange } from "../../store/cache.ts";
import type { HostResources, Instance } from "../model/instance.ts";
import { clusterKey, ecsKind, instanceKey } from "../model/keys.ts";
import type { Task } from "../model/task.ts";
import { takenOn, tasksOf } from "./instance-tasks.ts";

/** What the tasks on one container instance come to. */
export interface InstanceLoad {
  readonly runningTasksCount: number;
  /** By clusterKey, since a group is a name within its cluster and the fleet's instances run tasks of many. */
  readonly groups: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

/**
 * Sums over the tasks of instances and machines, remembered until one of those tasks changes: most of a cluster is the
 * same from one placement to the next. Follows the cache for as long as that lives.
 */
export class InstanceLoads {
  readonly #cache: Cache;
  readonly #loads = new Map<string, InstanceLoad>();
  readonly #taken = new Map<string, HostResources>();

  constructor(cache: Cache) {
    this.#cache = cache;
    cache.subscribe((changes) => {
      for (const change of changes) this.#forget(change);
    });
  }

  /** What all tasks on an instance's machine take of it, those of its other registrations included. */
  takenOn(instance: Instance): HostResources {
    const key = hostOf(instance.region, instance.ec2InstanceId);
    let taken = this.#taken.get(key);
    if (!taken) {
      taken = takenOn(this.#cache, instance);
      this.#taken.set(key, taken);
    }
    return taken;
  }

  loadOf(instance: Instance): InstanceLoad {
    const key = instanceKey(instance, instance.clusterName, instance.id);
    let load = this.#loads.get(key);
    if (!load) {
      load = sumUp(tasksOf(this.#cache, instance));
      this.#loads.set(key, load);
    }
    return load;
  }

  #forget({ key, before, after }: CacheChange): void {
    const kind = ecsKind(key);
    if (kind === "instances") this.#loads.delete(key);
    if (kind !== "tasks") return;
    const record = after ?? before;
    if (!record) return;
    // A task never moves.
    const { region, placement } = record.value as Task;
    const { instance, ec2InstanceId } = placement;
    this.#taken.delete(hostOf(region, ec2InstanceId));
    this.#loads.delete(instanceKey(instance, instance.clusterName, instance.id));
  }
}

function hostOf(region: string, ec2InstanceId: string): string {
  return `${region}/${ec2InstanceId}`;
}

function sumUp(tasks: readonly Task[]): InstanceLoad {
  const groups = new Map<string, Map<string, number>>();
  for (const task of tasks) {
    const cluster = clusterKey(task, task.clusterName);
    const counts = groups.get(cluster) ?? new Map<string, number>();
    groups.set(cluster, counts.set(task.group, (counts.get(task.group) ?? 0) + 1));
  }
  const runningTasksCount = tasks.filter(({ lastStatus }) => lastStatus === "RUNNING").length;
  return { runningTasksCount, groups };
}

import type { Cache, CacheChange } from "../../store/cache.ts";
import type { Instance } from "../model/instance.ts";
import {
  clusterKey,
  ecsKind,
  FLEET_ACCOUNT_ID,
  FLEET_CLUSTER,
  instanceKey,
  instancesPrefix,
} from "../model/keys.ts";
import type { TaskSpec } from "../model/new-task.ts";
import type { Task, UnconfirmedStop } from "../model/task.ts";
import { countTasks } from "../model/task-counts.ts";
import { Board } from "../scheduler/board.ts";
import type { Candidate } from "../scheduler/snapshot.ts";
import { takenOn, tasksOf } from "./instance-tasks.ts";

/**
 * The boards that placements are decided on, one for each cluster that tasks are placed in and one for the fleet of each
 * region. Each is filled from the cache once; from then on only instances that changes have touched are looked at again,
 * and no sooner than the board is asked for. Follows the cache for as long as that lives.
 */
export class PlacementBoards {
  readonly #cache: Cache;
  /** By the prefix of the instances' keys. */
  readonly #boards = new Map<string, FollowedBoard>();

  constructor(cache: Cache) {
    this.#cache = cache;
    cache.subscribe((changes) => {
      for (const change of changes) this.#note(change);
    });
  }

  /** The instances that come into question for a task, as the cache has them now: those of its cluster, or the fleet's. */
  boardFor(spec: TaskSpec): Board {
    const prefix = poolOf(spec);
    let followed = this.#boards.get(prefix);
    if (followed === undefined) {
      const keys = this.#cache.list(prefix).map(({ key }) => key);
      followed = { board: new Board(), touched: new Set(keys) };
      this.#boards.set(prefix, followed);
    }
    for (const key of followed.touched) refresh(this.#cache, followed.board, key);
    followed.touched.clear();
    return followed.board;
  }

  #note({ key, before, after }: CacheChange): void {
    if (this.#boards.size === 0) return;
    const kind = ecsKind(key);
    if (kind === "instances") this.#touch(key);
    if (kind !== "tasks" && kind !== "unconfirmed-stops") return;
    const record = after ?? before;
    if (!record) return;
    // A task never moves; every instance of its machine has more or less left.
    const { region, placement } = record.members(["region", "placement"]) as unknown as
      | Task
      | UnconfirmedStop;
    const host = `${region}/${placement.ec2InstanceId}`;
    for (const instance of this.#cache.lookup("instancesByHost", host)) this.#touch(instance.key);
  }

  #touch(key: string): void {
    this.#boards.get(key.slice(0, key.lastIndexOf("/") + 1))?.touched.add(key);
  }
}

interface FollowedBoard {
  readonly board: Board;
  /** Keys of instances that have changed, or whose machine's tasks have, since the board was last asked for. */
  readonly touched: Set<string>;
}

function poolOf(spec: TaskSpec): string {
  return spec.launchType === "FARGATE"
    ? instancesPrefix({ accountId: FLEET_ACCOUNT_ID, region: spec.region }, FLEET_CLUSTER)
    : instancesPrefix(spec, spec.clusterName);
}

function refresh(cache: Cache, board: Board, key: string): void {
  const instance = cache.get(key)?.value as Instance | undefined;
  if (instance === undefined || instance.status === "INACTIVE") {
    board.delete(key.slice(key.lastIndexOf("/") + 1));
  } else {
    board.set(candidateOf(cache, instance));
  }
}

/** An instance with what the tasks on it and on its machine come to. */
export function candidateOf(cache: Cache, instance: Instance): Candidate {
  const tasks = tasksOf(cache, instance);
  const host = `${instance.region}/${instance.ec2InstanceId}`;
  const groups = new Map<string, number>();
  for (const task of tasks) {
    const group = groupOnBoard(task);
    groups.set(group, (groups.get(group) ?? 0) + 1);
  }
  return {
    instance,
    taken: takenOn(cache, instance),
    runningTasksCount: countTasks(tasks).runningCount,
    unconfirmedCount: cache.lookup("unconfirmedStopsByHost", host).length,
    groups,
  };
}

/** A group is a name within its cluster, and the fleet's instances run tasks of many. */
export function groupOnBoard(
  task: Pick<Task, "accountId" | "region" | "clusterName" | "group" | "launchType">,
): string {
  return task.launchType === "FARGATE"
    ? `${clusterKey(task, task.clusterName)}/${task.group}`
    : task.group;
}

/** A board of some instances alone, for requests that name them. */
export function boardOf(cache: Cache, spec: TaskSpec, instanceIds: readonly string[]): Board {
  const instances = instanceIds.flatMap((id) => {
    const key = instanceKey(spec, spec.clusterName, id);
    const instance = cache.get(key)?.value as Instance | undefined;
    return instance === undefined || instance.status === "INACTIVE" ? [] : [instance];
  });
  return Board.of(instances.map((instance) => candidateOf(cache, instance)));
}

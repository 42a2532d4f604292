import type { Cache } from "../../store/cache.ts";
import type { Instance } from "../model/instance.ts";
import { clusterKey, FLEET_ACCOUNT_ID, FLEET_CLUSTER, instancesPrefix } from "../model/keys.ts";
import type { TaskSpec } from "../model/new-task.ts";
import type { Snapshot } from "../scheduler/snapshot.ts";
import type { InstanceLoads } from "./instance-loads.ts";

const NO_GROUPS: ReadonlyMap<string, number> = new Map();

/**
 * The instances that come into question for a task: those of its cluster, or for FARGATE those of the fleet, in the order
 * of their keys. Taken from the cache in one go, so that it is the state of one revision. `loads`: of the same cache.
 */
export function takeSnapshot(
  cache: Cache,
  loads: InstanceLoads,
  spec: TaskSpec,
  instanceIds: readonly string[] | undefined,
): Snapshot {
  const prefix =
    spec.launchType === "FARGATE"
      ? instancesPrefix({ accountId: FLEET_ACCOUNT_ID, region: spec.region }, FLEET_CLUSTER)
      : instancesPrefix(spec, spec.clusterName);
  const cluster = clusterKey(spec, spec.clusterName);
  const candidates = cache
    .list(prefix)
    .map(({ value }) => value as Instance)
    .filter(({ status, id }) => status !== "INACTIVE" && (instanceIds?.includes(id) ?? true))
    .map((instance) => {
      const { runningTasksCount, groups } = loads.loadOf(instance);
      return {
        instance,
        taken: loads.takenOn(instance),
        runningTasksCount,
        unconfirmedCount: cache.lookup(
          "unconfirmedStopsByHost",
          `${instance.region}/${instance.ec2InstanceId}`,
        ).length,
        groups: groups.get(cluster) ?? NO_GROUPS,
      };
    });
  return { candidates };
}

import type { Cluster as AwsCluster, ClusterField } from "@aws-sdk/client-ecs";
import type { EcsDeps } from "../control/deps.ts";
import { taskCountKey } from "../control/indexes.ts";
import type { Cluster } from "../model/cluster.ts";
import type { Instance } from "../model/instance.ts";
import { clusterKey, instancesPrefix } from "../model/keys.ts";
import type { LaunchType, Task } from "../model/task.ts";
import type { TaskCounts } from "../model/task-counts.ts";
import { type ClusterCounts, presentCluster } from "./present.ts";

/** What calls that make or change a cluster show of it. */
export const ALL_BUT_STATISTICS: readonly ClusterField[] = [
  "ATTACHMENTS",
  "CONFIGURATIONS",
  "SETTINGS",
  "TAGS",
];

/** A cluster as it stands now, with what its tasks and instances add up to. */
export function showCluster(
  deps: EcsDeps,
  cluster: Cluster,
  include: readonly ClusterField[] = ALL_BUT_STATISTICS,
): AwsCluster {
  return presentCluster(cluster, countsOf(deps, cluster), include);
}

/** Costs the same however many tasks and instances there are. */
function countsOf({ cache }: EcsDeps, cluster: Cluster): ClusterCounts {
  const key = clusterKey(cluster, cluster.name);
  const tasksOf = (launchType: LaunchType): TaskCounts => ({
    runningCount: cache.count("taskCounts", taskCountKey(key, launchType, "running")),
    pendingCount: cache.count("taskCounts", taskCountKey(key, launchType, "pending")),
  });
  return {
    ec2: tasksOf("EC2"),
    fargate: tasksOf("FARGATE"),
    external: tasksOf("EXTERNAL"),
    instanceCount: cache.count("instanceCounts", key),
  };
}

/** The instances of a cluster that are not INACTIVE. */
export function instancesOf({ cache }: EcsDeps, cluster: Cluster): readonly Instance[] {
  return cache
    .list(instancesPrefix(cluster, cluster.name))
    .map(({ value }) => value as Instance)
    .filter(({ status }) => status !== "INACTIVE");
}

/** The tasks of a cluster that are not STOPPED: of those that are, a cluster may have kept very many. */
export function liveTasksOf({ cache }: EcsDeps, cluster: Cluster): readonly Task[] {
  const records = cache.lookup("liveTasksByCluster", clusterKey(cluster, cluster.name));
  return records.map(({ value }) => value as Task);
}

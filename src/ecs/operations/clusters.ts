import type {
  DeleteClusterRequest,
  DeleteClusterResponse,
  DescribeClustersRequest,
  DescribeClustersResponse,
  ListClustersRequest,
  ListClustersResponse,
} from "@aws-sdk/client-ecs";
import type { Call } from "../../door/service.ts";
import { ApiError } from "../../lib/errors.ts";
import { updateRecord } from "../../store/commit.ts";
import type { EcsDeps } from "../control/deps.ts";
import { clusterArn } from "../model/arn.ts";
import type { Cluster } from "../model/cluster.ts";
import { clusterKey, clustersPrefix } from "../model/keys.ts";
import { DEFAULT_CLUSTER } from "../model/names.ts";
import { createCluster } from "./create-cluster.ts";
import type { EcsOperations } from "./ecs-operations.ts";
import { requireBatch } from "./invalid.ts";
import { pageOf } from "./page.ts";
import { clusterNameOf, clusterResource, findCluster, scopeOf } from "./resolve.ts";
import { instancesOf, liveTasksOf, showCluster } from "./show-cluster.ts";

/** The rows of cluster operations. */
export function clusterOperations(deps: EcsDeps): EcsOperations {
  return {
    CreateCluster: {
      support: "partial",
      missing: "serviceConnectDefaults with a namespace",
      action: "ecs:CreateCluster",
      resources: ({ clusterName }, call) => [clusterResource(call, clusterName)],
      handle: (input, call) => createCluster(deps, input, call),
    },
    DescribeClusters: {
      support: "full",
      action: "ecs:DescribeClusters",
      resources: ({ clusters }, call) =>
        (clusters?.length ? clusters : [undefined]).map((text) => clusterResource(call, text)),
      handle: async (input, call) => describeClusters(deps, input, call),
    },
    ListClusters: {
      support: "full",
      action: "ecs:ListClusters",
      resources: () => ["*"],
      handle: async (input, call) => listClusters(deps, input, call),
    },
    DeleteCluster: {
      support: "full",
      action: "ecs:DeleteCluster",
      resources: ({ cluster }, call) => [clusterResource(call, cluster)],
      handle: (input, call) => deleteCluster(deps, input, call),
    },
  };
}

function describeClusters(
  deps: EcsDeps,
  input: DescribeClustersRequest,
  call: Call,
): DescribeClustersResponse {
  const scope = scopeOf(call);
  const asked = input.clusters?.length ? input.clusters : [DEFAULT_CLUSTER];
  requireBatch("Clusters", asked, 100);
  const found = asked.map((text) => ({ text, cluster: findCluster(deps.cache, scope, text) }));
  return {
    clusters: found.flatMap(({ cluster }) =>
      cluster ? [showCluster(deps, cluster, input.include ?? [])] : [],
    ),
    failures: found
      .filter(({ cluster }) => !cluster)
      .map(({ text }) => ({ arn: clusterResource(call, text), reason: "MISSING" })),
  };
}

function listClusters(deps: EcsDeps, input: ListClustersRequest, call: Call): ListClustersResponse {
  const active = deps.cache
    .list(clustersPrefix(scopeOf(call)))
    .map(({ value }) => value as Cluster)
    .filter(({ status }) => status === "ACTIVE");
  const { items, nextToken } = pageOf(active, input, { keyOf: ({ name }) => name });
  return {
    clusterArns: items.map((cluster) => clusterArn(cluster, cluster.name)),
    ...(nextToken !== undefined && { nextToken }),
  };
}

/**
 * Deletes in two steps: a cluster that is INACTIVE takes nothing new, since whoever adds to it compares its record; so
 * what is seen after that is all there is, and if there is something the cluster stays.
 */
async function deleteCluster(
  deps: EcsDeps,
  input: DeleteClusterRequest,
  call: Call,
): Promise<DeleteClusterResponse> {
  const scope = scopeOf(call);
  const name = clusterNameOf(scope, input.cluster);
  const before = findCluster(deps.cache, scope, input.cluster);
  if (name === undefined || !before) {
    throw new ApiError("ClusterNotFoundException", "Cluster not found.");
  }
  requireEmpty(deps, before);
  const key = clusterKey(scope, name);
  const inactiveSince = deps.clock.now();
  const deleted = await updateRecord<Cluster>(deps, key, (cluster) =>
    cluster.status === "INACTIVE" ? cluster : { ...cluster, status: "INACTIVE", inactiveSince },
  );
  try {
    requireEmpty(deps, before);
  } catch (error) {
    await updateRecord<Cluster>(deps, key, ({ inactiveSince: _, ...cluster }) => ({
      ...cluster,
      status: "ACTIVE",
    }));
    throw error;
  }
  return { cluster: showCluster(deps, deleted ?? before) };
}

function requireEmpty(deps: EcsDeps, cluster: Cluster): void {
  if (instancesOf(deps, cluster).length > 0) {
    throw new ApiError(
      "ClusterContainsContainerInstancesException",
      "The Cluster cannot be deleted while Container Instances are active or draining.",
    );
  }
  if (liveTasksOf(deps, cluster).length > 0) {
    throw new ApiError(
      "ClusterContainsTasksException",
      "The Cluster cannot be deleted while Tasks are active.",
    );
  }
}

import type {
  ClusterField,
  CreateClusterRequest,
  CreateClusterResponse,
  DeleteClusterRequest,
  DeleteClusterResponse,
  DescribeClustersRequest,
  DescribeClustersResponse,
  ListClustersRequest,
  ListClustersResponse,
} from "@aws-sdk/client-ecs";
import type { Call } from "../../door/service.ts";
import { ApiError, UnavailableError } from "../../lib/errors.ts";
import type { EcsDeps } from "../control/deps.ts";
import { commit, updateRecord } from "../control/update.ts";
import { clusterArn } from "../model/arn.ts";
import type { Cluster } from "../model/cluster.ts";
import type { Instance } from "../model/instance.ts";
import {
  clusterKey,
  clustersPrefix,
  instancesPrefix,
  type Scope,
  tasksPrefix,
} from "../model/keys.ts";
import { DEFAULT_CLUSTER, isName } from "../model/names.ts";
import { findTagViolation, normaliseTags } from "../model/tags.ts";
import type { Task } from "../model/task.ts";
import type { EcsOperations } from "./ecs-operations.ts";
import { invalid, requireBatch } from "./invalid.ts";
import { pageOf } from "./page.ts";
import { presentCluster } from "./present.ts";
import { clusterNameOf, clusterResource, findCluster, scopeOf } from "./resolve.ts";

/** The rows of cluster operations. */
export function clusterOperations(deps: EcsDeps): EcsOperations {
  return {
    CreateCluster: {
      support: "partial",
      missing: "capacityProviders, defaultCapacityProviderStrategy, serviceConnectDefaults",
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

/** ECS: what an account's clusters have unless its settings say otherwise. */
const DEFAULT_SETTINGS: Cluster["settings"] = [{ name: "containerInsights", value: "disabled" }];

/** Lost races in a row against others who make or delete the same cluster. */
const ATTEMPTS_MAX = 20;

async function createCluster(
  deps: EcsDeps,
  input: CreateClusterRequest,
  call: Call,
): Promise<CreateClusterResponse> {
  const scope = scopeOf(call);
  const name = input.clusterName || DEFAULT_CLUSTER;
  checkCreateCluster(name, input);
  const key = clusterKey(scope, name);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const record = deps.cache.get(key);
    const existing = record?.value as Cluster | undefined;
    if (existing?.status === "ACTIVE") return { cluster: present(deps, existing, EVERYTHING) };
    const cluster: Cluster = {
      ...scope,
      name,
      status: "ACTIVE",
      settings: (input.settings ?? DEFAULT_SETTINGS).map((setting) => ({
        name: setting.name ?? "containerInsights",
        value: setting.value ?? "disabled",
      })),
      tags: normaliseTags(input.tags),
      ...(input.configuration && { configuration: input.configuration }),
      createdAt: deps.clock.now(),
    };
    // A lost race means that the cluster is there now: the next look answers with it.
    const compare = [{ key, revision: record?.revision ?? 0 }];
    if (await commit(deps, compare, [{ key, value: cluster }])) {
      return { cluster: present(deps, cluster, EVERYTHING) };
    }
  }
  throw new UnavailableError(`cluster ${name} keeps changing`);
}

const EVERYTHING: readonly ClusterField[] = ["CONFIGURATIONS", "SETTINGS", "TAGS"];

function checkCreateCluster(name: string, input: CreateClusterRequest): void {
  if (!isName(name)) {
    throw invalid("Cluster name must be 1-255 letters, digits, hyphens and underscores.");
  }
  const violation = findTagViolation(input.tags);
  if (violation !== undefined) throw invalid(violation);
  const isAsked = input.capacityProviders?.length || input.defaultCapacityProviderStrategy?.length;
  if (isAsked) throw invalid("Capacity providers are not available yet: use launch types.");
  if (input.serviceConnectDefaults) throw invalid("Service Connect is not available yet.");
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
      cluster ? [present(deps, cluster, input.include ?? [])] : [],
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
  const withStatus =
    (status: Cluster["status"]) =>
    (cluster: Cluster): Cluster =>
      cluster.status === status ? cluster : { ...cluster, status };
  const deleted = await updateRecord<Cluster>(deps, key, withStatus("INACTIVE"));
  try {
    requireEmpty(deps, before);
  } catch (error) {
    await updateRecord<Cluster>(deps, key, withStatus("ACTIVE"));
    throw error;
  }
  return { cluster: present(deps, deleted ?? before, EVERYTHING) };
}

function requireEmpty({ cache }: EcsDeps, cluster: Cluster): void {
  if (instancesOf(cache, cluster, cluster.name).length > 0) {
    throw new ApiError(
      "ClusterContainsContainerInstancesException",
      "The Cluster cannot be deleted while Container Instances are active or draining.",
    );
  }
  const isActive = ({ lastStatus }: Task): boolean => lastStatus !== "STOPPED";
  if (tasksOfCluster(cache, cluster, cluster.name).some(isActive)) {
    throw new ApiError(
      "ClusterContainsTasksException",
      "The Cluster cannot be deleted while Tasks are active.",
    );
  }
}

function present(
  { cache }: EcsDeps,
  cluster: Cluster,
  include: readonly ClusterField[],
): ReturnType<typeof presentCluster> {
  const tasks = tasksOfCluster(cache, cluster, cluster.name);
  const instanceCount = instancesOf(cache, cluster, cluster.name).length;
  return presentCluster(cluster, tasks, instanceCount, include);
}

/** The instances of a cluster that are not INACTIVE. */
function instancesOf(cache: EcsDeps["cache"], scope: Scope, name: string): readonly Instance[] {
  return cache
    .list(instancesPrefix(scope, name))
    .map(({ value }) => value as Instance)
    .filter(({ status }) => status !== "INACTIVE");
}

function tasksOfCluster(cache: EcsDeps["cache"], scope: Scope, name: string): readonly Task[] {
  return cache.list(tasksPrefix(scope, name)).map(({ value }) => value as Task);
}

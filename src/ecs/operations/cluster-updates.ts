import type {
  Cluster as AwsCluster,
  ClusterConfiguration,
  PutClusterCapacityProvidersRequest,
  UpdateClusterRequest,
} from "@aws-sdk/client-ecs";
import type { Call } from "../../door/service.ts";
import { ApiError, UnavailableError } from "../../lib/errors.ts";
import { commit } from "../../store/commit.ts";
import type { EcsDeps } from "../control/deps.ts";
import type { Cluster } from "../model/cluster.ts";
import {
  findClusterConfigurationViolation,
  findClusterSettingsViolation,
  mergeClusterSettings,
} from "../model/cluster-rules.ts";
import { clusterKey } from "../model/keys.ts";
import { type ClusterCapacity, readClusterCapacity, useProviders } from "./cluster-capacity.ts";
import { requireNoNamespace } from "./create-cluster.ts";
import type { EcsOperations } from "./ecs-operations.ts";
import { invalid } from "./invalid.ts";
import { clusterResource, requireCluster, scopeOf } from "./resolve.ts";
import { liveTasksOf, showCluster } from "./show-cluster.ts";

/** The rows of operations that change a cluster. */
export function clusterUpdateOperations(deps: EcsDeps): EcsOperations {
  return {
    UpdateCluster: {
      support: "partial",
      missing: "serviceConnectDefaults with a namespace",
      action: "ecs:UpdateCluster",
      resources: ({ cluster }, call) => [clusterResource(call, cluster)],
      handle: async (input, call) => ({ cluster: await updateCluster(deps, input, call) }),
    },
    UpdateClusterSettings: {
      support: "full",
      action: "ecs:UpdateClusterSettings",
      resources: ({ cluster }, call) => [clusterResource(call, cluster)],
      handle: async ({ cluster, settings }, call) => ({
        cluster: await updateCluster(deps, { cluster, settings }, call),
      }),
    },
    PutClusterCapacityProviders: {
      support: "full",
      action: "ecs:PutClusterCapacityProviders",
      resources: ({ cluster }, call) => [clusterResource(call, cluster)],
      handle: async (input, call) => ({ cluster: await putCapacityProviders(deps, input, call) }),
    },
  };
}

async function updateCluster(
  deps: EcsDeps,
  input: UpdateClusterRequest,
  call: Call,
): Promise<AwsCluster> {
  const violation =
    findClusterSettingsViolation(input.settings) ??
    findClusterConfigurationViolation(input.configuration);
  if (violation !== undefined) throw invalid(violation);
  requireNoNamespace(input.serviceConnectDefaults);
  return change(deps, input.cluster, call, (cluster) => ({
    settings: mergeClusterSettings(cluster.settings, input.settings),
    ...(input.configuration && {
      configuration: {
        ...(cluster.configuration as ClusterConfiguration | undefined),
        ...input.configuration,
      },
    }),
  }));
}

async function putCapacityProviders(
  deps: EcsDeps,
  input: PutClusterCapacityProvidersRequest,
  call: Call,
): Promise<AwsCluster> {
  return change(deps, input.cluster, call, (cluster) => {
    const capacity = readClusterCapacity(deps.cache, scopeOf(call), input);
    requireUnused(deps, cluster, capacity);
    return capacity;
  });
}

/** ECS: a provider stays with a cluster while tasks there run by it. */
function requireUnused(deps: EcsDeps, cluster: Cluster, capacity: ClusterCapacity): void {
  const kept = new Set(capacity.capacityProviders);
  const removed = (cluster.capacityProviders ?? []).filter((name) => !kept.has(name));
  if (removed.length === 0) return;
  const isUsed = liveTasksOf(deps, cluster).some(({ capacityProviderName = "" }) =>
    removed.includes(capacityProviderName),
  );
  if (!isUsed) return;
  throw new ApiError(
    "ResourceInUseException",
    "The specified capacity provider is in use and cannot be removed.",
  );
}

/** Lost races in a row on one cluster. */
const ATTEMPTS_MAX = 20;

/** Changes an ACTIVE cluster, and takes hold of the providers that it then has. */
async function change(
  deps: EcsDeps,
  text: string | undefined,
  call: Call,
  changesOf: (cluster: Cluster) => Partial<Cluster>,
): Promise<AwsCluster> {
  const scope = scopeOf(call);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const before = requireCluster(deps.cache, scope, text);
    const key = clusterKey(scope, before.name);
    const changes = changesOf(before);
    const after: Cluster = { ...before, ...changes };
    const { capacityProviders = [], defaultCapacityProviderStrategy = [] } = changes;
    const used = useProviders(deps.cache, scope, {
      capacityProviders,
      defaultCapacityProviderStrategy,
    });
    const revision = deps.cache.get(key)?.revision ?? 0;
    const isWritten = await commit(
      deps,
      [{ key, revision }, ...used.compare],
      [{ key, value: after }, ...used.write],
    );
    if (isWritten) return showCluster(deps, after);
  }
  throw new UnavailableError(`cluster ${text} keeps changing`);
}

import type {
  ClusterServiceConnectDefaultsRequest,
  CreateClusterRequest,
  CreateClusterResponse,
} from "@aws-sdk/client-ecs";
import type { Call } from "../../door/service.ts";
import { util } from "../../lib/builtins.ts";
import { ApiError, UnavailableError } from "../../lib/errors.ts";
import { commit } from "../../store/commit.ts";
import type { EcsDeps } from "../control/deps.ts";
import { settingsPrincipal } from "../model/account-setting.ts";
import type { Cluster } from "../model/cluster.ts";
import {
  CONTAINER_INSIGHTS,
  findClusterConfigurationViolation,
  findClusterSettingsViolation,
  mergeClusterSettings,
} from "../model/cluster-rules.ts";
import { clusterKey } from "../model/keys.ts";
import { DEFAULT_CLUSTER, isName } from "../model/names.ts";
import { findTagViolation, normaliseTags } from "../model/tags.ts";
import { effectiveSetting } from "./account-settings.ts";
import { type ClusterCapacity, readClusterCapacity, useProviders } from "./cluster-capacity.ts";
import { invalid, quoted } from "./invalid.ts";
import { scopeOf } from "./resolve.ts";
import { showCluster } from "./show-cluster.ts";

/** Lost races in a row against others who make or delete the same cluster. */
const ATTEMPTS_MAX = 20;

/** Makes a cluster, or answers with the ACTIVE one of that name unless the caller wants it to be different. */
export async function createCluster(
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
    const capacity = hasCapacity(input) ? readClusterCapacity(deps.cache, scope, input) : undefined;
    if (existing?.status === "ACTIVE") {
      requireSame(existing, input, capacity);
      return { cluster: showCluster(deps, existing) };
    }
    const cluster: Cluster = {
      ...scope,
      name,
      status: "ACTIVE",
      settings: mergeClusterSettings(initialSettings(deps, call), input.settings),
      tags: normaliseTags(input.tags),
      ...(input.configuration && { configuration: input.configuration }),
      ...capacity,
      createdAt: deps.clock.now(),
    };
    const used = capacity && useProviders(deps.cache, scope, capacity);
    // A lost race means that the cluster is there now: the next look answers with it.
    const isWritten = await commit(
      deps,
      [{ key, revision: record?.revision ?? 0 }, ...(used?.compare ?? [])],
      [{ key, value: cluster }, ...(used?.write ?? [])],
    );
    if (isWritten) return { cluster: showCluster(deps, cluster) };
  }
  throw new UnavailableError(`cluster ${name} keeps changing`);
}

function hasCapacity(input: CreateClusterRequest): boolean {
  return (
    input.capacityProviders !== undefined || input.defaultCapacityProviderStrategy !== undefined
  );
}

/** ECS: what a cluster's settings are if nobody says, which the account may have said. */
function initialSettings({ cache }: EcsDeps, call: Call): Cluster["settings"] {
  const principalArn = settingsPrincipal(call.principal.arn);
  const value = effectiveSetting(cache, scopeOf(call), principalArn, CONTAINER_INSIGHTS);
  return [{ name: CONTAINER_INSIGHTS, value }];
}

/** Throws where a caller expects a cluster of this name to be other than it is; what they do not mention may be anything. */
function requireSame(
  existing: Cluster,
  input: CreateClusterRequest,
  capacity: ClusterCapacity | undefined,
): void {
  const { capacityProviders = [], defaultCapacityProviderStrategy = [] } = existing;
  const wanted = mergeClusterSettings(existing.settings, input.settings);
  const isSame =
    util.isDeepStrictEqual(sortedByName(wanted), sortedByName(existing.settings)) &&
    (!input.configuration || util.isDeepStrictEqual(input.configuration, existing.configuration)) &&
    (!capacity ||
      util.isDeepStrictEqual(capacity, { capacityProviders, defaultCapacityProviderStrategy }));
  if (isSame) return;
  throw invalid(
    "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
  );
}

function sortedByName(settings: Cluster["settings"]): Cluster["settings"] {
  return settings.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function checkCreateCluster(name: string, input: CreateClusterRequest): void {
  if (!isName(name)) {
    throw invalid(
      `Invalid cluster name ${quoted(name)}: it has 1 to 255 letters, digits, hyphens and underscores.`,
    );
  }
  const violation =
    findTagViolation(input.tags) ??
    findClusterSettingsViolation(input.settings) ??
    findClusterConfigurationViolation(input.configuration);
  if (violation !== undefined) throw invalid(violation);
  requireNoNamespace(input.serviceConnectDefaults);
}

/** No namespace can exist before Cloud Map has operations that make one. An empty name asks for none. */
export function requireNoNamespace(
  defaults: ClusterServiceConnectDefaultsRequest | undefined,
): void {
  const namespace = defaults?.namespace;
  if (!namespace) return;
  if (namespace.startsWith("arn:")) {
    throw new ApiError("NamespaceNotFoundException", `The namespace ${namespace} was not found.`);
  }
  throw invalid("Service Connect is not available yet: leave serviceConnectDefaults out.");
}

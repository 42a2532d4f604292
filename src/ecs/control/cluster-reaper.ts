import { commit } from "../../store/commit.ts";
import type { Controller } from "../../store/controller.ts";
import type { Cluster } from "../model/cluster.ts";
import { ecsKind } from "../model/keys.ts";
import type { EcsDeps } from "./deps.ts";

/** Chosen: how long a deleted cluster can still be described. ECS: "for a period of time", which it does not name. */
export const CLUSTER_RETENTION_MS: number = 24 * 3_600_000;

/**
 * Deletes the records of INACTIVE clusters when they have been kept long enough. Whoever makes the cluster anew writes its
 * record, and only what was seen is deleted. One that has instances or tasks was found not to be empty when it was to be
 * deleted, and whoever wanted that came to no end: it is ACTIVE as before.
 */
export function createClusterReaper(deps: EcsDeps): Controller {
  return {
    name: "cluster-reaper",
    keysFor: ({ key, after }) =>
      after !== undefined && isCluster(key) && isInactive(after.value as Cluster) ? [key] : [],
    allKeys: (cache) =>
      cache
        .list("/")
        .filter(({ key, value }) => isCluster(key) && isInactive(value as Cluster))
        .map(({ key }) => key),
    reconcile: async (key) => {
      const record = deps.cache.get(key);
      const cluster = record?.value as Cluster | undefined;
      if (!record || !cluster || !isInactive(cluster)) return undefined;
      const { inactiveSince, ...kept } = cluster;
      if (!isEmpty(deps, key)) {
        await commit(deps, [record], [{ key, value: { ...kept, status: "ACTIVE" } }]);
        return undefined;
      }
      const now = deps.clock.now();
      const leftMs = (inactiveSince ?? now) + CLUSTER_RETENTION_MS - now;
      if (inactiveSince !== undefined && leftMs > 0) return { againAfterMs: leftMs };
      // Records of before there was a time in them begin theirs now.
      const value = inactiveSince === undefined ? { ...cluster, inactiveSince: now } : undefined;
      await commit(deps, [record], [{ key, value }]);
      return undefined;
    },
  };
}

/** Nothing can be added meanwhile: who does compares the cluster's record. */
function isEmpty({ cache }: EcsDeps, key: string): boolean {
  return (
    cache.count("instanceCounts", key) === 0 && cache.lookup("liveTasksByCluster", key).length === 0
  );
}

function isCluster(key: string): boolean {
  return ecsKind(key) === "clusters";
}

function isInactive({ status }: Cluster): boolean {
  return status === "INACTIVE";
}

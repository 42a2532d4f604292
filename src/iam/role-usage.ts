import { clusterArn } from "../ecs/model/arn.ts";
import type { Cluster } from "../ecs/model/cluster.ts";
import type { Cache } from "../store/cache.ts";
import type { RoleUsage } from "./model/service-linked-roles.ts";
import type { UsageOf } from "./operations/service-linked-roles.ts";

/** What needs the service-linked roles: clusters that of ECS. The other services have nothing here that does. */
export function createUsageOf(cache: Cache): UsageOf {
  return (accountId, serviceName) => {
    if (serviceName !== "ecs.amazonaws.com") return [];
    const byRegion = new Map<string, string[]>();
    for (const { key, value } of cache.list(`/${accountId}/`)) {
      if (!/^\/\d+\/[^/]+\/ecs\/clusters\//.test(key)) continue;
      const cluster = value as Cluster;
      if (cluster.status === "INACTIVE") continue;
      const arns = byRegion.get(cluster.region) ?? [];
      byRegion.set(cluster.region, [...arns, clusterArn(cluster, cluster.name)]);
    }
    return [...byRegion].map(([region, resources]): RoleUsage => ({ region, resources }));
  };
}

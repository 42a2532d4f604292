import type { Cluster } from "../model/cluster.ts";
import { clusterKey, FLEET_ACCOUNT_ID, FLEET_CLUSTER } from "../model/keys.ts";
import type { EcsDeps } from "./deps.ts";

/** Makes the cluster that FARGATE capacity registers in, where it is not there yet. Any number of servers may ask at once. */
export async function ensureFleetCluster(deps: EcsDeps, region: string): Promise<void> {
  const scope = { accountId: FLEET_ACCOUNT_ID, region };
  const key = clusterKey(scope, FLEET_CLUSTER);
  if (deps.cache.get(key) !== undefined) return;
  const cluster: Cluster = {
    ...scope,
    name: FLEET_CLUSTER,
    status: "ACTIVE",
    settings: [],
    tags: [],
    createdAt: deps.clock.now(),
  };
  const result = await deps.store.txn([{ key, revision: 0 }], [{ key, value: cluster }]);
  const { revision } = result.ok ? result : await deps.store.list(key);
  await deps.cache.reached(revision);
}

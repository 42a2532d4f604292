import { instanceArn } from "../model/arn.ts";
import { clusterKey, type Scope } from "../model/keys.ts";
import type { TaskSpec } from "../model/new-task.ts";
import type { LaunchType } from "../model/task.ts";
import type { FilterName } from "../scheduler/filter-name.ts";
import type { Placements } from "../scheduler/place.ts";
import type { Refusal } from "../scheduler/snapshot.ts";

/** Chosen: what somebody who looks for a cause still remembers having asked for. */
const KEPT_PER_CLUSTER_MAX = 20;
/** Chosen: machines of one explanation that are listed, those that came furthest; the counts are of all. */
const INSTANCES_MAX = 100;
/** Chosen: clusters whose explanations are kept. */
const CLUSTERS_MAX = 1000;

export type ClusterName = Scope & { readonly clusterName: string };

/** Why tasks of one request found no place. */
export interface PlacementExplanation extends ClusterName {
  /** Epoch milliseconds. */
  readonly at: number;
  /** `family:revision`. */
  readonly definition: string;
  readonly launchType: LaunchType;
  readonly group: string;
  readonly count: number;
  readonly unplacedCount: number;
  /** `none of 3 instances: 2 RESOURCE:MEMORY, 1 AGENT`. */
  readonly summary: string;
  readonly instances: readonly InstanceExplanation[];
}

/** How far one instance came. */
export interface InstanceExplanation {
  /** Those of the fleet are for operators: users see none of its instances. */
  readonly arn: string;
  readonly ec2InstanceId: string;
  readonly passed: readonly FilterName[];
  readonly failed: FilterName;
  readonly reason: string;
  readonly detail: string;
}

/** How many instances failed for which reason, the most frequent first. */
export function summaryOf(refusals: readonly Refusal[]): string {
  const counts = [...Map.groupBy(refusals, ({ reason }) => reason)]
    .map(([reason, { length }]) => ({ reason, length }))
    .toSorted((a, b) => b.length - a.length || (a.reason < b.reason ? -1 : 1))
    .map(({ reason, length }) => `${length} ${reason.replace(/\.$/, "")}`);
  const noun = refusals.length === 1 ? "instance" : "instances";
  return `none of ${refusals.length} ${noun}${counts.length > 0 ? `: ${counts.join(", ")}` : ""}`;
}

/** What is kept of a request that not all tasks of could be placed. */
export function explainPlacement(
  { spec, count }: { readonly spec: TaskSpec; readonly count: number },
  { refusals, unplacedCount }: Placements,
  now: number,
): PlacementExplanation {
  const { accountId, region, clusterName, launchType, group } = spec;
  const nearest = refusals
    .toSorted((a, b) => b.passed.length - a.passed.length)
    .slice(0, INSTANCES_MAX);
  return {
    accountId,
    region,
    clusterName,
    at: now,
    definition: `${spec.definition.family}:${spec.definition.revision}`,
    launchType,
    group,
    count,
    unplacedCount,
    summary: summaryOf(refusals),
    instances: nearest.map(({ instance, passed, failed, reason, detail }) => ({
      arn: instanceArn(instance, instance.clusterName, instance.id),
      ec2InstanceId: instance.ec2InstanceId,
      passed,
      failed,
      reason,
      detail,
    })),
  };
}

/**
 * The last refusals of each cluster, in memory: they explain the present to whoever looks into it. What a caller must not
 * lose stands in the answer's failures.
 */
export class PlacementExplanations {
  /** By clusterKey, that which was written to last at the end; the newest of each first. */
  readonly #kept = new Map<string, readonly PlacementExplanation[]>();

  keep(explanation: PlacementExplanation): void {
    const key = clusterKey(explanation, explanation.clusterName);
    const others = this.#kept.get(key) ?? [];
    this.#kept.delete(key);
    this.#kept.set(key, [explanation, ...others].slice(0, KEPT_PER_CLUSTER_MAX));
    if (this.#kept.size > CLUSTERS_MAX) this.#kept.delete(this.#kept.keys().next().value ?? "");
  }

  of(cluster: ClusterName): readonly PlacementExplanation[] {
    return this.#kept.get(clusterKey(cluster, cluster.clusterName)) ?? [];
  }
}

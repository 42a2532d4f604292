/** Why tasks found no place, for `gantry explain`: one websocket, on which the server sends one message and closes. */

/** IAM action `gantry:ExplainPlacements`. */
export const EXPLANATIONS_PATH = "/placement-explanations/ws";
/** Query parameter: the cluster's name. */
export const CLUSTER_PARAMETER = "cluster";

/** The newest first. */
export interface ExplanationsMessage {
  readonly explanations: readonly ExplanationMessage[];
}

/** One request that not all tasks of found a place. */
export interface ExplanationMessage {
  /** Epoch milliseconds. */
  readonly at: number;
  /** `family:revision`. */
  readonly definition: string;
  readonly launchType: string;
  readonly group: string;
  readonly count: number;
  readonly unplacedCount: number;
  /** `none of 3 instances: 2 RESOURCE:MEMORY, 1 AGENT`. */
  readonly summary: string;
  /** Those that came furthest, up to a hundred. */
  readonly instances: readonly {
    readonly arn: string;
    readonly ec2InstanceId: string;
    /** The filters that it passed, and the one that it did not. */
    readonly passed: readonly string[];
    readonly failed: string;
    readonly reason: string;
    readonly detail: string;
  }[];
}

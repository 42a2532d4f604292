import type { Random } from "../../lib/random.ts";
import type { Attribute, HostResources, Instance } from "../model/instance.ts";
import type { Expression } from "../model/query-parse.ts";
import type { FilterName } from "./filter-name.ts";

/** A container instance that might take a task: plain data of one moment. */
export interface Candidate {
  readonly instance: Instance;
  /** What all tasks on its machine take, those of the machine's other instances included. */
  readonly taken: HostResources;
  readonly runningTasksCount: number;
  /** Tasks that its machine was lost with and has not said to have ended: they may still run there. */
  readonly unconfirmedCount: number;
  /** How many tasks of each group are on this instance and not stopped. What a group is called is the caller's. */
  readonly groups: ReadonlyMap<string, number>;
}

/** CPU units or MiB that a candidate's machine has left. */
export function remainingAmount(
  { instance, taken }: Candidate,
  amount: "cpuUnits" | "memoryMiB",
): number {
  return instance.registered[amount] - taken[amount];
}

/** Ids of the GPUs that a candidate's machine has left, in the order of its registration. */
export function gpusLeft({ instance, taken }: Candidate): readonly string[] {
  const { gpus = [] } = instance.registered;
  return gpus.length === 0 ? gpus : gpus.filter((id) => taken.gpus?.includes(id) !== true);
}

/** Equal tasks that want a place. */
export interface PlacementRequest {
  readonly count: number;
  /** Of each. */
  readonly needs: HostResources;
  /** GPUs of each. */
  readonly gpuCount?: number;
  /** What an instance must have: with the value, where one is given. */
  readonly attributes: readonly Attribute[];
  readonly group: string;
  /** awsvpc: where the task's interface may be. */
  readonly subnets?: readonly SubnetChoice[];
  readonly constraints: readonly Constraint[];
  /** The first one decides, each further one breaks ties, chance breaks the last. */
  readonly strategies: readonly Strategy[];
}

export interface SubnetChoice {
  readonly subnetId: string;
  readonly availabilityZone: string;
}

export type Constraint =
  | { readonly type: "distinctInstance" }
  | { readonly type: "memberOf"; readonly expression: Expression };

export type Strategy =
  | { readonly type: "random" }
  /** By instance, or by the value of an attribute. */
  | { readonly type: "spread"; readonly attribute: string | undefined }
  | { readonly type: "binpack"; readonly resource: "cpuUnits" | "memoryMiB" };

/** Where one task goes. */
export interface Placed {
  readonly instance: Instance;
  readonly subnetId?: string;
  /** Those of the machine's that the task has for itself. */
  readonly gpuIds?: readonly string[];
}

/** Why one task did not go to one instance. */
export interface Refusal {
  readonly instance: Instance;
  /** ECS's word for it, e.g. `RESOURCE:CPU`. */
  readonly reason: string;
  readonly detail: string;
  /** The filters that the instance passed, in order: who came furthest tells most. */
  readonly passed: readonly FilterName[];
  readonly failed: FilterName;
}

/** One member of a list that is not empty. */
export function pick<T>(choices: readonly T[], random: Pick<Random, "next">): T | undefined {
  return choices[Math.floor(random.next() * choices.length)];
}

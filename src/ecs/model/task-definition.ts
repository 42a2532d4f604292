import type { TaskDefinition as AwsTaskDefinition } from "@aws-sdk/client-ecs";
import type { Tag } from "./cluster.ts";
import type { Scope } from "./keys.ts";

/** A revision as it is stored: the API's own document, normalised, so that every field comes back as it was given. */
export interface TaskDefinition extends Scope {
  readonly family: string;
  readonly revision: number;
  readonly status: "ACTIVE" | "INACTIVE" | "DELETE_IN_PROGRESS";
  /** Without ARN, status, timestamps: those are in this record. Defaults filled in. */
  readonly document: TaskDefinitionDocument;
  readonly registeredAt: number;
  /** ARN of the caller. */
  readonly registeredBy: string;
  readonly deregisteredAt?: number;
  readonly deleteRequestedAt?: number;
  readonly tags: readonly Tag[];
}

export type TaskDefinitionDocument = Omit<
  AwsTaskDefinition,
  | "taskDefinitionArn"
  | "status"
  | "registeredAt"
  | "registeredBy"
  | "deregisteredAt"
  | "deleteRequestedAt"
  | "revision"
>;

/** Numbers revisions of a family; deleted ones still count. */
export interface Family {
  readonly name: string;
  readonly latestRevision: number;
}

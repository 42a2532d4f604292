/**
 * The key space of the orchestrator: what lies where, and who writes it. One screen, no other file builds a key.
 *
 * | key below `/<account>/<region>/ecs/` | document | written by |
 * | --- | --- | --- |
 * | `clusters/<name>` | Cluster | operations/clusters |
 * | `families/<family>` | Family | operations/task-definitions |
 * | `task-definitions/<family>/<revision>` | TaskDefinition | operations/task-definitions |
 * | `instances/<cluster>/<id>` | Instance | operations/container-instances; `agentConnected` by control/dispatcher |
 * | `hosts/<ec2InstanceId>` | Host | control/placement: bumped by every placement on that machine |
 * | `tasks/<cluster>/<id>` | Task | see the fields of `task.ts` |
 * | `run-tokens/<cluster>/<clientToken>` | RunToken | control/placement |
 *
 * Names are 1–255 of `[A-Za-z0-9_-]`, so they need no escaping; revisions are zero-padded so that key order is number order.
 */

/** The account and region that a record belongs to. */
export interface Scope {
  readonly accountId: string;
  readonly region: string;
}

/**
 * The account that owns capacity nobody has to manage: FARGATE tasks land on container instances of its cluster
 * {@link FLEET_CLUSTER}, which the users' accounts cannot see.
 */
export const FLEET_ACCOUNT_ID = "999999999999";
export const FLEET_CLUSTER = "fargate";

export function ecsPrefix(scope: Scope): string {
  return `/${scope.accountId}/${scope.region}/ecs/`;
}
export function clustersPrefix(scope: Scope): string {
  return `${ecsPrefix(scope)}clusters/`;
}
export function clusterKey(scope: Scope, name: string): string {
  return `${clustersPrefix(scope)}${name}`;
}
export function familiesPrefix(scope: Scope): string {
  return `${ecsPrefix(scope)}families/`;
}
export function familyKey(scope: Scope, family: string): string {
  return `${familiesPrefix(scope)}${family}`;
}
export function definitionsPrefix(scope: Scope): string {
  return `${ecsPrefix(scope)}task-definitions/`;
}
/** All revisions of one family, oldest first. */
export function revisionsPrefix(scope: Scope, family: string): string {
  return `${definitionsPrefix(scope)}${family}/`;
}
export function taskDefinitionKey(scope: Scope, family: string, revision: number): string {
  return `${revisionsPrefix(scope, family)}${String(revision).padStart(7, "0")}`;
}
/** All container instances of one cluster. */
export function instancesPrefix(scope: Scope, cluster: string): string {
  return `${ecsPrefix(scope)}instances/${cluster}/`;
}
export function instanceKey(scope: Scope, cluster: string, id: string): string {
  return `${instancesPrefix(scope, cluster)}${id}`;
}
/** Hosts are the machines themselves, whatever accounts have instances on them: they belong to the fleet account. */
export function hostKey(region: string, ec2InstanceId: string): string {
  return `${ecsPrefix({ accountId: FLEET_ACCOUNT_ID, region })}hosts/${ec2InstanceId}`;
}
/** All tasks of one cluster. */
export function tasksPrefix(scope: Scope, cluster: string): string {
  return `${ecsPrefix(scope)}tasks/${cluster}/`;
}
export function taskKey(scope: Scope, cluster: string, id: string): string {
  return `${tasksPrefix(scope, cluster)}${id}`;
}
export function runTokenKey(scope: Scope, cluster: string, clientToken: string): string {
  return `${ecsPrefix(scope)}run-tokens/${cluster}/${encodeURIComponent(clientToken)}`;
}

/** The kind of record a key names (`tasks`, `clusters`, …) if it is one of ours. */
export function ecsKind(key: string): string | undefined {
  const parts = key.split("/");
  return parts[3] === "ecs" ? parts[4] : undefined;
}

/**
 * The key space of the orchestrator: what lies where, and who writes it. One screen, no other file builds a key.
 *
 * | key below `/<account>/<region>/ecs/` | document | written by |
 * | --- | --- | --- |
 * | `account-settings/<principal ARN>/<name>` | AccountSetting | operations/account-settings; the root principal's are the account's |
 * | `capacity-providers/<name>` | CapacityProvider | operations/capacity-providers; rewritten unchanged by whoever begins to use it |
 * | `clusters/<name>` | Cluster | operations/clusters, cluster-updates; control/cluster-reaper deletes it, and takes back a deletion that was cut short |
 * | `families/<family>` | Family | operations/task-definitions |
 * | `task-definitions/<family>/<revision>` | TaskDefinition | operations/task-definitions, delete-task-definitions; deleted by control/task-definition-reaper |
 * | `instances/<cluster>/<id>` | Instance | operations/agent-registration, container-instances, attributes; `agentConnected` by control/dispatcher; control/instances retires and deletes |
 * | `hosts/<ec2InstanceId>` | Host | control/placement, operations/agent-registration: rewritten by every placement on that machine and every new instance of it |
 * | `unconfirmed-stops/<cluster>/<task id>` | UnconfirmedStop | control/instances; deleted when the machine has confirmed the end, or is out of service |
 * | `tasks/<cluster>/<id>` | Task | see the fields of `task.ts`; deleted by control/task-reaper |
 * | `run-tokens/<cluster>/<clientToken>` | RunToken | control/placement; deleted by control/run-token-reaper |
 *
 * The `tags` of every document that has them are also written by operations/tagging.
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
export function accountSettingsPrefix(scope: Scope, principalArn: string): string {
  return `${ecsPrefix(scope)}account-settings/${encodeURIComponent(principalArn)}/`;
}
export function accountSettingKey(scope: Scope, principalArn: string, name: string): string {
  return `${accountSettingsPrefix(scope, principalArn)}${name}`;
}
export function capacityProvidersPrefix(scope: Scope): string {
  return `${ecsPrefix(scope)}capacity-providers/`;
}
export function capacityProviderKey(scope: Scope, name: string): string {
  return `${capacityProvidersPrefix(scope)}${name}`;
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
function definitionsPrefix(scope: Scope): string {
  return `${ecsPrefix(scope)}task-definitions/`;
}
/** All revisions of one family, oldest first. */
export function revisionsPrefix(scope: Scope, family: string): string {
  return `${definitionsPrefix(scope)}${family}/`;
}
export function taskDefinitionKey(scope: Scope, family: string, revision: number): string {
  return `${revisionsPrefix(scope, family)}${String(revision).padStart(7, "0")}`;
}
/** The number of the revision that a {@link taskDefinitionKey} names. */
export function revisionOfKey(key: string): number {
  return Number(key.slice(key.lastIndexOf("/") + 1));
}
/** All container instances of an account and region. */
export function allInstancesPrefix(scope: Scope): string {
  return `${ecsPrefix(scope)}instances/`;
}
/** All container instances of one cluster. */
export function instancesPrefix(scope: Scope, cluster: string): string {
  return `${allInstancesPrefix(scope)}${cluster}/`;
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
/** Of a task by its own account and cluster. */
export function unconfirmedStopKey(scope: Scope, cluster: string, taskId: string): string {
  return `${ecsPrefix(scope)}unconfirmed-stops/${cluster}/${taskId}`;
}
export function runTokenKey(scope: Scope, cluster: string, clientToken: string): string {
  return `${ecsPrefix(scope)}run-tokens/${cluster}/${encodeURIComponent(clientToken)}`;
}

/** The kind of record a key names (`tasks`, `clusters`, …) if it is one of ours. */
export function ecsKind(key: string): string | undefined {
  const parts = key.split("/");
  return parts[3] === "ecs" ? parts[4] : undefined;
}

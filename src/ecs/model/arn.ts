import type { Scope } from "./keys.ts";

/** The ARNs of ECS resources, built and read. Always the long format. */

export function clusterArn(scope: Scope, name: string): string {
  return `${prefix(scope)}cluster/${name}`;
}
export function capacityProviderArn(scope: Scope, name: string): string {
  return `${prefix(scope)}capacity-provider/${name}`;
}
export function taskArn(scope: Scope, cluster: string, id: string): string {
  return `${prefix(scope)}task/${cluster}/${id}`;
}
export function instanceArn(scope: Scope, cluster: string, id: string): string {
  return `${prefix(scope)}container-instance/${cluster}/${id}`;
}
export function containerArn(scope: Scope, cluster: string, taskId: string, uuid: string): string {
  return `${prefix(scope)}container/${cluster}/${taskId}/${uuid}`;
}
export function attachmentArn(scope: Scope, cluster: string, uuid: string): string {
  return `${prefix(scope)}attachment/${cluster}/${uuid}`;
}
/** `revision`: `*` for all of the family. */
export function taskDefinitionArn(scope: Scope, family: string, revision: number | string): string {
  return `${prefix(scope)}task-definition/${family}:${revision}`;
}

function prefix({ accountId, region }: Scope): string {
  return `arn:aws:ecs:${region}:${accountId}:`;
}

/** An ARN of ECS, taken apart. */
export interface EcsArn extends Scope {
  /** `cluster`, `task`, `container-instance`, `task-definition`, … */
  readonly type: string;
  /** What follows the type, split at `/`: `[cluster, id]` for a task, `[name]` for a cluster. */
  readonly path: readonly string[];
}

/** Reads an ARN of ECS; undefined for anything else, short names included. */
export function parseArn(text: string): EcsArn | undefined {
  const match = /^arn:aws:ecs:([^:]+):(\d{12}):([a-z-]+)\/(.+)$/.exec(text);
  if (!match) return undefined;
  const [, region = "", accountId = "", type = "", path = ""] = match;
  return { accountId, region, type, path: path.split("/") };
}

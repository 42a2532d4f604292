import { SHOWN_VALUE_LENGTH_MAX } from "../../door/limits.ts";
import type { Call } from "../../door/service.ts";
import { ApiError } from "../../lib/errors.ts";
import type { Cache } from "../../store/cache.ts";
import type { StoreRecord } from "../../store/store.ts";
import {
  capacityProviderArn,
  clusterArn,
  type EcsArn,
  instanceArn,
  parseArn,
  taskArn,
  taskDefinitionArn,
} from "../model/arn.ts";
import type { Cluster } from "../model/cluster.ts";
import {
  clusterKey,
  familyKey,
  revisionsPrefix,
  type Scope,
  taskDefinitionKey,
} from "../model/keys.ts";
import { DEFAULT_CLUSTER, isName } from "../model/names.ts";
import type { Family, TaskDefinition } from "../model/task-definition.ts";
import { invalid } from "./invalid.ts";

/** What callers may call things: a name, an id, or a full ARN, which has to be of their own account and region. */

/** The account and region of a call. */
export function scopeOf({ principal, region }: Call): Scope {
  return { accountId: principal.accountId, region };
}

/** The path of an own ARN of this type; undefined for ARNs of anything or anyone else. */
function ownPath(scope: Scope, type: string, text: string): readonly string[] | undefined {
  const arn: EcsArn | undefined = parseArn(text);
  const isOwn =
    arn?.type === type && arn.accountId === scope.accountId && arn.region === scope.region;
  return isOwn ? arn.path : undefined;
}

/** The name a caller means, `default` if none; undefined for what cannot be a cluster of theirs. */
export function clusterNameOf(scope: Scope, text: string | undefined): string | undefined {
  const given = text || DEFAULT_CLUSTER;
  const name = given.startsWith("arn:") ? ownPath(scope, "cluster", given)?.[0] : given;
  return name !== undefined && isName(name) ? name : undefined;
}

/** The cluster of any status that a caller names. */
export function findCluster(
  cache: Cache,
  scope: Scope,
  text: string | undefined,
): Cluster | undefined {
  const name = clusterNameOf(scope, text);
  return name === undefined
    ? undefined
    : (cache.get(clusterKey(scope, name))?.value as Cluster | undefined);
}

/**
 * The cluster a caller names. Throws ClusterNotFoundException unless it is there and ACTIVE, InvalidParameterException for what
 * can be no name.
 */
export function requireCluster(cache: Cache, scope: Scope, text: string | undefined): Cluster {
  if (text && !text.startsWith("arn:") && !isName(text)) {
    const shown = text.slice(0, SHOWN_VALUE_LENGTH_MAX);
    throw invalid(`Cluster must match ^[a-zA-Z0-9\\-_]{1,255}$, but was ${shown}`);
  }
  const cluster = findCluster(cache, scope, text);
  if (!cluster) throw new ApiError("ClusterNotFoundException", "Cluster not found.");
  if (cluster.status === "ACTIVE") return cluster;
  throw new ApiError("ClusterNotFoundException", "The referenced cluster was inactive.");
}

/** The name of a capacity provider, from a name or an ARN; undefined for what cannot be one of the caller's. */
export function providerNameOf(scope: Scope, text: string): string | undefined {
  const name = text.startsWith("arn:") ? ownPath(scope, "capacity-provider", text)?.[0] : text;
  return name !== undefined && isName(name) ? name : undefined;
}

/**
 * The id of a task or container instance of this cluster, from an id or an ARN; undefined if it cannot be one of it. Throws, as
 * ECS does, for an ARN of another of the account's clusters: mostly the caller forgot to name the cluster.
 */
export function idOf(
  cluster: Cluster,
  type: "task" | "container-instance",
  text: string,
): string | undefined {
  if (!text.startsWith("arn:")) return isName(text) ? text : undefined;
  const [clusterName, id] = ownPath(cluster, type, text) ?? [];
  if (!isName(clusterName ?? "") || !isName(id ?? "")) return undefined;
  if (clusterName === cluster.name) return id;
  throw invalid(
    `Invalid identifier: Identifier is for cluster ${clusterName}. Your cluster is ${cluster.name}`,
  );
}

/** A definition as a caller names it: a family, perhaps with a revision. */
export interface DefinitionName {
  readonly family: string;
  /** As it was written, which need not be a number. */
  readonly revision: string | undefined;
}

/** Reads `family`, `family:revision` or an ARN; undefined for ARNs that are not the caller's. */
export function definitionNameOf(scope: Scope, text: string): DefinitionName | undefined {
  const name = text.startsWith("arn:") ? ownPath(scope, "task-definition", text)?.[0] : text;
  const [family = "", revision, ...rest] = name?.split(":") ?? [];
  return isName(family) && rest.length === 0 ? { family, revision } : undefined;
}

/** The definition a caller names: that revision, or the newest ACTIVE one of the family. */
export function findDefinition(
  cache: Cache,
  scope: Scope,
  text: string,
): TaskDefinition | undefined {
  const name = definitionNameOf(scope, text);
  if (!name) return undefined;
  if (name.revision === undefined) return newestActive(cache, scope, name.family);
  if (!isRevision(name.revision)) return undefined;
  const key = taskDefinitionKey(scope, name.family, Number(name.revision));
  return cache.get(key)?.value as TaskDefinition | undefined;
}

/** Nearly always the last that was registered: a family may have very many revisions, and tasks are started by its name. */
function newestActive(cache: Cache, scope: Scope, name: string): TaskDefinition | undefined {
  const family = cache.get(familyKey(scope, name))?.value as Family | undefined;
  if (family === undefined) return undefined;
  const last = cache.get(taskDefinitionKey(scope, name, family.latestRevision));
  const newest =
    last && isActive(last) ? last : cache.list(revisionsPrefix(scope, name)).findLast(isActive);
  return newest?.value as TaskDefinition | undefined;
}

/** Told without parsing the whole document. */
function isActive(record: StoreRecord): boolean {
  return record.members(["status"]).status === "ACTIVE";
}

/** Whether a text is a revision's number. ECS: a family has up to a million. */
export function isRevision(text: string): boolean {
  return /^[1-9]\d{0,6}$/.test(text);
}

/** For authorisation: the ARN of the cluster a call speaks of, whether it exists or not. */
export function clusterResource(call: Call, text: string | undefined): string {
  const given = text || DEFAULT_CLUSTER;
  return given.startsWith("arn:") ? given : clusterArn(scopeOf(call), given);
}

/** For authorisation, and in failures: a capacity provider by its name or ARN. */
export function providerResource(call: Call, text: string | undefined): string {
  if (text?.startsWith("arn:")) return text;
  return capacityProviderArn(scopeOf(call), text ?? "*");
}

/** For authorisation: a resource below a cluster, such as a task, by its id or ARN. */
export function memberResource(
  call: Call,
  type: "task" | "container-instance",
  cluster: string | undefined,
  text: string | undefined,
): string {
  if (text?.startsWith("arn:")) return text;
  const arn = parseArn(clusterResource(call, cluster));
  const build = type === "task" ? taskArn : instanceArn;
  return build(arn ?? scopeOf(call), arn?.path[0] ?? "*", text ?? "*");
}

/** For authorisation: the ARN of a definition; any revision where none is named. */
export function definitionResource(call: Call, text: string | undefined): string {
  if (text?.startsWith("arn:")) return text;
  const [family = "*", revision = "*"] = text?.split(":") ?? [];
  return taskDefinitionArn(scopeOf(call), family, revision);
}

/** The same for a definition that is to run: the very revision, so that no policy about one is got round by the family. */
export function startedDefinition(cache: Cache, call: Call, text: string | undefined): string {
  const definition = findDefinition(cache, scopeOf(call), text ?? "");
  if (definition === undefined) return definitionResource(call, text);
  return taskDefinitionArn(definition, definition.family, definition.revision);
}

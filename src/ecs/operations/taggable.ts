import type { Call } from "../../door/service.ts";
import { machineOf } from "../../iam/model/access-key.ts";
import { ApiError } from "../../lib/errors.ts";
import type { Cache } from "../../store/cache.ts";
import { type EcsArn, parseArn } from "../model/arn.ts";
import { isFargateProvider } from "../model/capacity-provider.ts";
import type { Cluster, Tag } from "../model/cluster.ts";
import {
  capacityProviderKey,
  clusterKey,
  instanceKey,
  type Scope,
  taskDefinitionKey,
  taskKey,
} from "../model/keys.ts";
import { isName } from "../model/names.ts";
import type { Task } from "../model/task.ts";
import type { TaskDefinition } from "../model/task-definition.ts";
import { invalid } from "./invalid.ts";
import { isRevision, scopeOf } from "./resolve.ts";

/** Any record that has tags, as tagging sees it. */
export interface Taggable {
  readonly tags: readonly Tag[];
}

/** What ECS says of a kind of resource. */
export interface TaggableWords {
  readonly missing: string;
  /** Why a resource that is there cannot have tags now; undefined when it can. */
  readonly whyNot: (resource: Taggable) => string | undefined;
}

interface TaggableKind {
  readonly name: string;
  /** Its key, from what follows the type in its ARN; undefined for what cannot be one. */
  readonly keyOf: (scope: Scope, path: readonly string[]) => string | undefined;
  readonly whyNot?: TaggableWords["whyNot"];
}

/** By the ARN's type. What is not here yet (services, task sets, daemons, gateways) cannot be found. */
const KINDS: ReadonlyMap<string, TaggableKind> = new Map<string, TaggableKind>([
  [
    "cluster",
    {
      name: "cluster",
      keyOf: (scope, path) => named(path, 1, ([name = ""]) => clusterKey(scope, name)),
      whyNot: (resource) =>
        (resource as Cluster).status === "ACTIVE"
          ? undefined
          : "The specified cluster is inactive. Specify an active cluster and try again.",
    },
  ],
  [
    "task",
    {
      name: "task",
      keyOf: (scope, path) =>
        named(path, 2, ([cluster = "", id = ""]) => taskKey(scope, cluster, id)),
      whyNot: (resource) =>
        (resource as Task & Taggable).lastStatus === "STOPPED"
          ? "The specified task is stopped. Specify a running task and try again."
          : undefined,
    },
  ],
  [
    "container-instance",
    {
      name: "container instance",
      keyOf: (scope, path) =>
        named(path, 2, ([cluster = "", id = ""]) => instanceKey(scope, cluster, id)),
    },
  ],
  ["task-definition", { name: "task definition", keyOf: definitionKey, whyNot: whyNotDefinition }],
  [
    "capacity-provider",
    {
      name: "capacity provider",
      keyOf: (scope, path) => named(path, 1, ([name = ""]) => capacityProviderKey(scope, name)),
    },
  ],
]);

/** Resources below a cluster that once had ARNs without it. */
const HAD_SHORT_ARNS: readonly string[] = ["service", "task", "container-instance"];

function named(
  path: readonly string[],
  length: number,
  build: (path: readonly string[]) => string,
): string | undefined {
  return path.length === length && path.every(isName) ? build(path) : undefined;
}

function definitionKey(scope: Scope, path: readonly string[]): string | undefined {
  const [family = "", revision = ""] = path[0]?.split(":") ?? [];
  return path.length === 1 && isName(family) && isRevision(revision)
    ? taskDefinitionKey(scope, family, Number(revision))
    : undefined;
}

function whyNotDefinition(resource: Taggable): string | undefined {
  return (resource as TaskDefinition).status === "DELETE_IN_PROGRESS"
    ? "The specified task definition is being deleted. Specify another task definition and try again."
    : undefined;
}

/** Whose resources a caller names: its own, but a machine also has tasks of other accounts. */
function scopeFor(call: Call, arn: EcsArn | undefined): Scope {
  const scope = scopeOf(call);
  const isOnMachine = arn?.type === "task" && machineOf(call.principal) !== undefined;
  return isOnMachine ? { ...scope, accountId: arn.accountId } : scope;
}

/**
 * The key of a resource that is there, and what ECS says of its kind. Throws InvalidParameterException for an ARN that
 * cannot be one of a taggable resource, ClusterNotFoundException for a cluster that is not there, and `missingCode` for
 * anything else that is not.
 */
export function requireTaggable(
  cache: Cache,
  call: Call,
  resourceArn: string | undefined,
  missingCode: "ResourceNotFoundException" | "InvalidParameterException",
): { readonly key: string; readonly words: TaggableWords } {
  const scope = scopeFor(call, parseArn(resourceArn ?? ""));
  const arn = requireArn(scope, resourceArn ?? "");
  const kind = KINDS.get(arn.type);
  if (!kind) {
    throw new ApiError(missingCode, missingText(arn.type.replaceAll("-", " ")));
  }
  const key = kind.keyOf(scope, arn.path);
  if (key === undefined) throw invalid("The ARN provided is invalid.");
  if (cache.get(key)) {
    const { whyNot = () => undefined } = kind;
    return { key, words: { missing: missingText(kind.name), whyNot } };
  }
  if (arn.type === "cluster") throw new ApiError("ClusterNotFoundException", "Cluster not found.");
  throw new ApiError(missingCode, missingText(kind.name));
}

/** The ARN types of ECS that can have tags, here or not. */
const TYPES: readonly string[] = [
  ...KINDS.keys(),
  "service",
  "task-set",
  "daemon",
  "daemon-task-definition",
  "gateway",
  "gateway-route",
];

function requireArn(scope: Scope, text: string): EcsArn {
  const arn = parseArn(text);
  const isOwn = arn?.accountId === scope.accountId && arn.region === scope.region;
  if (!arn || !isOwn || !TYPES.includes(arn.type)) throw invalid("The ARN provided is invalid.");
  if (arn.path.length === 1 && HAD_SHORT_ARNS.includes(arn.type)) {
    throw invalid("Long arn format must be used for tagging operations");
  }
  const [name = ""] = arn.path;
  if (arn.type === "capacity-provider" && isFargateProvider(name)) {
    throw invalid(`The capacity provider ${name} is reserved: it cannot be tagged.`);
  }
  return arn;
}

function missingText(kind: string): string {
  return `The specified ${kind} was not found. Specify a valid ${kind} and try again.`;
}

/** The tags of a resource of the caller's, for authorisation; none for what is not there or has none. */
export function tagsOfResource(cache: Cache, call: Call, resourceArn: string): readonly Tag[] {
  const arn = parseArn(resourceArn);
  const scope = scopeOf(call);
  if (arn?.accountId !== scope.accountId || arn.region !== scope.region) return [];
  const key = KINDS.get(arn.type)?.keyOf(scope, arn.path);
  return key === undefined ? [] : ((cache.get(key)?.value as Taggable | undefined)?.tags ?? []);
}

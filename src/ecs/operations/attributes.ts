import type {
  Attribute as AwsAttribute,
  DeleteAttributesRequest,
  DeleteAttributesResponse,
  ListAttributesRequest,
  ListAttributesResponse,
  PutAttributesRequest,
  PutAttributesResponse,
} from "@aws-sdk/client-ecs";
import type { Call } from "../../door/service.ts";
import { ApiError, UnavailableError } from "../../lib/errors.ts";
import { commit } from "../../store/commit.ts";
import type { EcsDeps } from "../control/deps.ts";
import { instanceArn } from "../model/arn.ts";
import type { Cluster } from "../model/cluster.ts";
import { findAttributeViolation, isMeant, putAttributes } from "../model/custom-attributes.ts";
import type { Attribute, Instance } from "../model/instance.ts";
import { instanceKey } from "../model/keys.ts";
import type { EcsOperations } from "./ecs-operations.ts";
import { invalid, requireBatch } from "./invalid.ts";
import { pageOf } from "./page.ts";
import { clusterResource, idOf, memberResource, requireCluster, scopeOf } from "./resolve.ts";
import { instancesOf } from "./show-cluster.ts";

/** The rows of operations on the attributes of container instances. */
export function attributeOperations(deps: EcsDeps): EcsOperations {
  const targets = (input: PutAttributesRequest, call: Call): string[] =>
    (input.attributes ?? []).map(({ targetId }) =>
      memberResource(call, "container-instance", input.cluster, targetId),
    );
  return {
    PutAttributes: {
      support: "full",
      action: "ecs:PutAttributes",
      resources: targets,
      handle: (input, call) => writeAttributes(deps, input, call, put),
    },
    DeleteAttributes: {
      support: "full",
      action: "ecs:DeleteAttributes",
      resources: targets,
      handle: (input, call) => writeAttributes(deps, input, call, remove),
    },
    ListAttributes: {
      support: "full",
      action: "ecs:ListAttributes",
      resources: ({ cluster }, call) => [clusterResource(call, cluster)],
      handle: async (input, call) => listAttributes(deps, input, call),
    },
  };
}

/** ECS: attributes of one call. */
const BATCH_MAX = 10;
/** Lost races in a row against the agents of the same instances. */
const ATTEMPTS_MAX = 20;

/** The given attributes of one instance, and what it then has. */
interface Change {
  readonly after: readonly Attribute[];
  /** Those of `given` that the answer names. */
  readonly named: readonly Attribute[];
}
type ChangeOf = (before: readonly Attribute[], given: readonly Attribute[]) => Change;

const put: ChangeOf = (before, given) => {
  const after = putAttributes(before, given);
  if (after) return { after, named: given };
  throw new ApiError(
    "AttributeLimitExceededException",
    "A container instance can have at most 10 custom attributes.",
  );
};

const remove: ChangeOf = (before, given) => {
  const isGiven = (attribute: Attribute): boolean => given.some((each) => isMeant(each, attribute));
  return {
    after: before.filter((attribute) => !isGiven(attribute)),
    named: before.filter(isGiven),
  };
};

/** All instances change together or none does. */
async function writeAttributes(
  deps: EcsDeps,
  input: PutAttributesRequest | DeleteAttributesRequest,
  call: Call,
  changeOf: ChangeOf,
): Promise<PutAttributesResponse & DeleteAttributesResponse> {
  const cluster = requireCluster(deps.cache, scopeOf(call), input.cluster);
  const attributes = input.attributes ?? [];
  requireBatch("Attributes", attributes, BATCH_MAX);
  for (const attribute of attributes) {
    const violation = findAttributeViolation(attribute);
    if (violation !== undefined) throw invalid(violation);
    if (attribute.targetId) continue;
    throw invalid(
      `Attribute ${attribute.name} has no targetId: it is the id or ARN of a container instance.`,
    );
  }
  const byTarget = Map.groupBy(
    attributes,
    ({ targetId = "" }) => idOf(cluster, "container-instance", targetId) ?? targetId,
  );
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const changes = [...byTarget].map(([targetId, given]) => {
      const { key, revision, instance } = requireTarget(deps, cluster, targetId);
      const { after, named } = changeOf(instance.attributes, given.map(plain));
      return { key, revision, instance: { ...instance, attributes: after }, named };
    });
    const isWritten = await commit(
      deps,
      changes.map(({ key, revision }) => ({ key, revision })),
      changes.map(({ key, instance }) => ({ key, value: instance })),
    );
    if (!isWritten) continue;
    return {
      attributes: changes.flatMap(({ instance, named }) =>
        named.map((attribute) => present(instance, attribute)),
      ),
    };
  }
  throw new UnavailableError("the container instances keep changing");
}

function plain({ name = "", value }: AwsAttribute): Attribute {
  return value === undefined ? { name } : { name, value };
}

function requireTarget(
  { cache }: EcsDeps,
  cluster: Cluster,
  targetId: string,
): { readonly key: string; readonly revision: number; readonly instance: Instance } {
  const id = idOf(cluster, "container-instance", targetId);
  const key = instanceKey(cluster, cluster.name, id ?? "");
  const record = id === undefined ? undefined : cache.get(key);
  const instance = record?.value as Instance | undefined;
  if (record && instance && instance.status !== "INACTIVE") {
    return { key, revision: record.revision, instance };
  }
  throw new ApiError("TargetNotFoundException", `Could not find ${targetId}`);
}

/** Those that ECS and the agents set are listed as well. */
function listAttributes(
  deps: EcsDeps,
  input: ListAttributesRequest,
  call: Call,
): ListAttributesResponse {
  const cluster = requireCluster(deps.cache, scopeOf(call), input.cluster);
  const { attributeName, attributeValue } = input;
  if (attributeValue && !attributeName) {
    throw invalid("An attributeValue can only be listed with an attributeName.");
  }
  const found = instancesOf(deps, cluster).flatMap((instance) =>
    instance.attributes
      .filter(({ name }) => !attributeName || name === attributeName)
      .filter(({ value }) => !attributeValue || value === attributeValue)
      .map((attribute) => present(instance, attribute)),
  );
  // A space comes before every character that an id or a name can have.
  const { items, nextToken } = pageOf(found, input, {
    keyOf: ({ targetId, name }) => `${targetId} ${name}`,
  });
  return { attributes: [...items], ...(nextToken !== undefined && { nextToken }) };
}

function present(instance: Instance, attribute: Attribute): AwsAttribute {
  return { ...attribute, targetId: instanceArn(instance, instance.clusterName, instance.id) };
}

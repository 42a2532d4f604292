import type {
  DeregisterTaskDefinitionRequest,
  DeregisterTaskDefinitionResponse,
  DescribeTaskDefinitionRequest,
  DescribeTaskDefinitionResponse,
  ListTaskDefinitionFamiliesRequest,
  ListTaskDefinitionFamiliesResponse,
  ListTaskDefinitionsRequest,
  ListTaskDefinitionsResponse,
  RegisterTaskDefinitionRequest,
  RegisterTaskDefinitionResponse,
} from "@aws-sdk/client-ecs";
import type { Call } from "../../door/service.ts";
import { UnavailableError } from "../../lib/errors.ts";
import { commit, updateRecord } from "../../store/commit.ts";
import type { EcsDeps } from "../control/deps.ts";
import { revisionsOf } from "../control/indexes.ts";
import { taskDefinitionArn } from "../model/arn.ts";
import {
  familiesPrefix,
  familyKey,
  revisionOfKey,
  type Scope,
  taskDefinitionKey,
} from "../model/keys.ts";
import { parseQuery } from "../model/query-parse.ts";
import { findTagViolation, normaliseTags } from "../model/tags.ts";
import type { Family, TaskDefinition, TaskDefinitionDocument } from "../model/task-definition.ts";
import { requiredAttributesOf } from "../model/task-definition-attributes.ts";
import { compatibilitiesOf } from "../model/task-definition-compatibility.ts";
import { normaliseTaskDefinition } from "../model/task-definition-normalise.ts";
import { findDefinitionViolation } from "../model/task-definition-rules.ts";
import { deleteTaskDefinitions } from "./delete-task-definitions.ts";
import type { EcsOperations } from "./ecs-operations.ts";
import { clientFault, invalid } from "./invalid.ts";
import { pageInOrder, pageOf } from "./page.ts";
import { presentTaskDefinition } from "./present.ts";
import {
  definitionNameOf,
  definitionResource,
  findDefinition,
  isRevision,
  scopeOf,
} from "./resolve.ts";
import { checkRoleNames } from "./task-roles.ts";

/** The rows of task definition operations. */
export function taskDefinitionOperations(deps: EcsDeps): EcsOperations {
  return {
    RegisterTaskDefinition: {
      support: "full",
      action: "ecs:RegisterTaskDefinition",
      resources: ({ family }, call) => [definitionResource(call, family)],
      handle: (input, call) => registerTaskDefinition(deps, input, call),
    },
    DescribeTaskDefinition: {
      support: "full",
      action: "ecs:DescribeTaskDefinition",
      resources: () => ["*"],
      handle: async (input, call) => describeTaskDefinition(deps, input, call),
    },
    DeregisterTaskDefinition: {
      support: "full",
      action: "ecs:DeregisterTaskDefinition",
      resources: () => ["*"],
      handle: (input, call) => deregisterTaskDefinition(deps, input, call),
    },
    DeleteTaskDefinitions: {
      support: "full",
      action: "ecs:DeleteTaskDefinitions",
      resources: ({ taskDefinitions }, call) =>
        (taskDefinitions ?? []).map((text) => definitionResource(call, text)),
      handle: (input, call) => deleteTaskDefinitions(deps, input, call),
    },
    ListTaskDefinitions: {
      support: "full",
      action: "ecs:ListTaskDefinitions",
      resources: () => ["*"],
      handle: async (input, call) => listTaskDefinitions(deps, input, call),
    },
    ListTaskDefinitionFamilies: {
      support: "full",
      action: "ecs:ListTaskDefinitionFamilies",
      resources: () => ["*"],
      handle: async (input, call) => listFamilies(deps, input, call),
    },
  };
}

/** ECS: revisions of a family, deleted ones included. */
const REVISIONS_MAX = 1_000_000;
/** Lost races in a row against others who register the same family. */
const ATTEMPTS_MAX = 20;

async function registerTaskDefinition(
  deps: EcsDeps,
  input: RegisterTaskDefinitionRequest,
  call: Call,
): Promise<RegisterTaskDefinitionResponse> {
  const scope = scopeOf(call);
  checkRoleNames(scope.accountId, input);
  const document = documentOf(input);
  const family = input.family ?? "";
  const key = familyKey(scope, family);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const record = deps.cache.get(key);
    const revision = ((record?.value as Family | undefined)?.latestRevision ?? 0) + 1;
    if (revision > REVISIONS_MAX) {
      throw clientFault(`Family '${family}' has reached its ${REVISIONS_MAX} revisions.`);
    }
    const definition: TaskDefinition = {
      ...scope,
      family,
      revision,
      status: "ACTIVE",
      document,
      registeredAt: deps.clock.now(),
      registeredBy: call.principal.arn,
      tags: normaliseTags(input.tags),
    };
    const isWritten = await commit(
      deps,
      [{ key, revision: record?.revision ?? 0 }],
      [
        { key, value: { name: family, latestRevision: revision } satisfies Family },
        { key: taskDefinitionKey(scope, family, revision), value: definition },
      ],
    );
    if (isWritten) return describe(definition, true);
  }
  throw new UnavailableError(`family ${family} keeps changing`);
}

/** The document to store, complete with what ECS computes. Throws ClientException for what ECS would not take. */
function documentOf(input: RegisterTaskDefinitionRequest): TaskDefinitionDocument {
  const violation = findDefinitionViolation(input);
  if (violation !== undefined) throw clientFault(violation);
  const tagViolation = findTagViolation(input.tags);
  if (tagViolation !== undefined) throw invalid(tagViolation);
  for (const { expression } of input.placementConstraints ?? []) parseQuery(expression ?? "");
  const document = normaliseTaskDefinition(input);
  const { compatible, reasons } = compatibilitiesOf(document);
  for (const required of input.requiresCompatibilities ?? []) {
    const reason = reasons.get(required);
    if (reason !== undefined) throw clientFault(reason);
  }
  const requiresAttributes = requiredAttributesOf(document);
  return {
    ...document,
    compatibilities: compatible,
    ...(requiresAttributes.length > 0 && { requiresAttributes }),
  };
}

function describeTaskDefinition(
  deps: EcsDeps,
  input: DescribeTaskDefinitionRequest,
  call: Call,
): DescribeTaskDefinitionResponse {
  const definition = findDefinition(deps.cache, scopeOf(call), input.taskDefinition ?? "");
  if (!definition) throw clientFault("Unable to describe task definition.");
  return describe(definition, input.include?.includes("TAGS") ?? false);
}

function describe(
  definition: TaskDefinition,
  withTags: boolean,
): DescribeTaskDefinitionResponse & RegisterTaskDefinitionResponse {
  return {
    taskDefinition: presentTaskDefinition(definition),
    tags: withTags ? [...definition.tags] : [],
  };
}

async function deregisterTaskDefinition(
  deps: EcsDeps,
  input: DeregisterTaskDefinitionRequest,
  call: Call,
): Promise<DeregisterTaskDefinitionResponse> {
  const scope = scopeOf(call);
  const name = definitionNameOf(scope, input.taskDefinition ?? "");
  if (!name) throw clientFault("Unable to describe task definition.");
  const { family, revision } = name;
  if (!revision) throw clientFault("Revision is missing.");
  if (!isRevision(revision)) throw invalid(`Invalid revision number. Number: ${revision}`);
  const key = taskDefinitionKey(scope, family, Number(revision));
  const definition = await updateRecord<TaskDefinition>(deps, key, (before) =>
    before.status === "ACTIVE"
      ? { ...before, status: "INACTIVE", deregisteredAt: deps.clock.now() }
      : before,
  );
  if (!definition) throw clientFault("Unable to describe task definition.");
  return { taskDefinition: presentTaskDefinition(definition) };
}

function listTaskDefinitions(
  deps: EcsDeps,
  input: ListTaskDefinitionsRequest,
  call: Call,
): ListTaskDefinitionsResponse {
  const scope = scopeOf(call);
  const { items, nextToken } = pageInOrder(
    (after) => revisionsAfter(deps, scope, input, after),
    input,
    { keyOf: sortKey },
  );
  return {
    taskDefinitionArns: items.map(({ family, revision }) =>
      taskDefinitionArn(scope, family, revision),
    ),
    ...(nextToken !== undefined && { nextToken }),
  };
}

type NamedRevision = Pick<TaskDefinition, "family" | "revision">;

/** Families by name, revisions by number: a space comes before every character that a family's name can have. */
function sortKey({ family, revision }: NamedRevision): string {
  return `${family} ${String(revision).padStart(7, "0")}`;
}

/** Those behind a {@link sortKey}, in the asked order. Of a list of all that was ever registered nothing is read but the keys. */
function* revisionsAfter(
  { cache }: EcsDeps,
  scope: Scope,
  { familyPrefix, status = "ACTIVE", sort = "ASC" }: ListTaskDefinitionsRequest,
  after: string,
): Generator<NamedRevision> {
  const inOrder = <T>(items: readonly T[]): readonly T[] =>
    sort === "DESC" ? items.toReversed() : items;
  const isBehind = (name: string, other: string): boolean =>
    other === "" || (sort === "DESC" ? name < other : name > other);
  const [family = ""] = after.split(" ");
  // ECS calls it a prefix, and takes it as the whole name.
  const families = familyPrefix ? [familyPrefix] : inOrder(familyNames(cache, scope));
  for (const name of families) {
    if (name !== family && !isBehind(name, family)) continue;
    for (const { key } of inOrder(
      cache.lookup("revisionsByStatus", revisionsOf(scope, name, status)),
    )) {
      const found = { family: name, revision: revisionOfKey(key) };
      if (isBehind(sortKey(found), after)) yield found;
    }
  }
}

/** In order. */
function familyNames(cache: EcsDeps["cache"], scope: Scope, prefix = ""): readonly string[] {
  const families = familiesPrefix(scope);
  return cache.list(families + prefix).map(({ key }) => key.slice(families.length));
}

function listFamilies(
  { cache }: EcsDeps,
  input: ListTaskDefinitionFamiliesRequest,
  call: Call,
): ListTaskDefinitionFamiliesResponse {
  const scope = scopeOf(call);
  const { familyPrefix = "", status = "ALL" } = input;
  const names = familyNames(cache, scope, familyPrefix).filter((name) => {
    const found = familyStatus(cache, scope, name);
    return found !== undefined && (status === "ALL" || found === status);
  });
  const { items, nextToken } = pageOf(names, input, { keyOf: (name) => name });
  return { families: [...items], ...(nextToken !== undefined && { nextToken }) };
}

/** ECS: a family is ACTIVE while any revision of it is. Undefined when all have been deleted. */
function familyStatus(
  cache: EcsDeps["cache"],
  scope: Scope,
  family: string,
): "ACTIVE" | "INACTIVE" | undefined {
  const has = (status: TaskDefinition["status"]): boolean =>
    cache.lookup("revisionsByStatus", revisionsOf(scope, family, status)).length > 0;
  if (has("ACTIVE")) return "ACTIVE";
  return has("INACTIVE") || has("DELETE_IN_PROGRESS") ? "INACTIVE" : undefined;
}

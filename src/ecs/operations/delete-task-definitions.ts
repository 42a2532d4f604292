import type {
  DeleteTaskDefinitionsRequest,
  DeleteTaskDefinitionsResponse,
} from "@aws-sdk/client-ecs";
import type { Call } from "../../door/service.ts";
import { updateRecord } from "../../store/commit.ts";
import type { EcsDeps } from "../control/deps.ts";
import { taskDefinitionKey } from "../model/keys.ts";
import type { TaskDefinition } from "../model/task-definition.ts";
import { invalid } from "./invalid.ts";
import { presentTaskDefinition } from "./present.ts";
import { definitionNameOf, isRevision, scopeOf } from "./resolve.ts";

/** ECS: definitions of one call. */
const BATCH_MAX = 10;

const UNREADABLE =
  "The specified task definition identifier is invalid. Specify a valid name or ARN and try again.";
const MISSING =
  "The specified task definition does not exist. Specify a valid account, family, revision and try again.";
const STILL_ACTIVE =
  "The specified task definition is still in ACTIVE status. Please deregister the target and try again.";

/** Marks INACTIVE revisions for deletion; control/task-definition-reaper takes each away when nothing runs by it any more. */
export async function deleteTaskDefinitions(
  deps: EcsDeps,
  { taskDefinitions: asked = [] }: DeleteTaskDefinitionsRequest,
  call: Call,
): Promise<DeleteTaskDefinitionsResponse> {
  if (asked.length === 0) {
    throw invalid("size of TaskDefinition references list must be greater than 0");
  }
  if (asked.length > BATCH_MAX) {
    throw invalid(`Size of TaskDefinition references list cannot exceed ${BATCH_MAX}`);
  }
  const taskDefinitions: DeleteTaskDefinitionsResponse["taskDefinitions"] = [];
  const failures: DeleteTaskDefinitionsResponse["failures"] = [];
  for (const text of asked) {
    const outcome = await requestDeletion(deps, text, call);
    if (typeof outcome === "string") failures.push({ arn: text, reason: outcome });
    else taskDefinitions.push(presentTaskDefinition(outcome));
  }
  return { taskDefinitions, failures };
}

/** The revision as it then stands, or why it stays. */
async function requestDeletion(
  deps: EcsDeps,
  text: string,
  call: Call,
): Promise<TaskDefinition | string> {
  const scope = scopeOf(call);
  const name = definitionNameOf(scope, text);
  if (name?.revision === undefined || !isRevision(name.revision)) return UNREADABLE;
  const key = taskDefinitionKey(scope, name.family, Number(name.revision));
  const definition = await updateRecord<TaskDefinition>(deps, key, (before) =>
    before.status === "INACTIVE"
      ? { ...before, status: "DELETE_IN_PROGRESS", deleteRequestedAt: deps.clock.now() }
      : before,
  );
  if (!definition) return MISSING;
  return definition.status === "ACTIVE" ? STILL_ACTIVE : definition;
}

import { createHash } from "node:crypto";
import type {
  Task as AwsTask,
  Failure,
  RunTaskRequest,
  RunTaskResponse,
  StartTaskRequest,
  StartTaskResponse,
} from "@aws-sdk/client-ecs";
import type { Call } from "../../door/service.ts";
import { ApiError } from "../../lib/errors.ts";
import type { EcsDeps } from "../control/deps.ts";
import type { Placer } from "../control/placement.ts";
import { findRunToken } from "../control/run-tokens.ts";
import { taskArn } from "../model/arn.ts";
import { distribute } from "../model/capacity-strategy.ts";
import { type Scope, taskKey } from "../model/keys.ts";
import { isClientToken } from "../model/names.ts";
import type { RunToken, Task } from "../model/task.ts";
import { ON_INSTANCES, readCompute } from "./compute-choice.ts";
import { findInstance, missingInstance } from "./container-instances.ts";
import type { EcsOperations } from "./ecs-operations.ts";
import { clientFault, invalid, quoted } from "./invalid.ts";
import { readConstraints, readStrategies } from "./placement-choices.ts";
import { presentTask } from "./present-task.ts";
import { clusterNameOf, requireCluster, scopeOf, startedDefinition } from "./resolve.ts";
import { readTaskRequest } from "./task-request.ts";
import { requireTaskRoles } from "./task-roles.ts";
import { instanceOf } from "./tasks.ts";

/** The rows of operations that start tasks. */
export function runTaskOperations(deps: EcsDeps, placer: Placer): EcsOperations {
  const missing =
    "capacity providers with Auto Scaling groups, FARGATE_SPOT's interruptions, volumeConfigurations, MANAGED_INSTANCES, GPUs by ALL or shared, public addresses (assignPublicIp is taken, the address stays private)";
  return {
    RunTask: {
      support: "partial",
      missing,
      action: "ecs:RunTask",
      resources: ({ taskDefinition }, call) => [
        startedDefinition(deps.cache, call, taskDefinition),
      ],
      handle: (input, call) => runTask(deps, placer, input, call),
    },
    StartTask: {
      support: "partial",
      missing,
      action: "ecs:StartTask",
      resources: ({ taskDefinition }, call) => [
        startedDefinition(deps.cache, call, taskDefinition),
      ],
      handle: (input, call) => startTask(deps, placer, input, call),
    },
  };
}

/** ECS: tasks of one RunTask, instances of one StartTask. */
const COUNT_MAX = 10;
/** ECS: of StartTask; RunTask takes more. */
const STARTED_BY_LENGTH_MAX = 36;

async function runTask(
  deps: EcsDeps,
  placer: Placer,
  input: RunTaskRequest,
  call: Call,
): Promise<RunTaskResponse> {
  const { count = 1, clientToken } = input;
  const scope = scopeOf(call);
  checkRunTask(input, count);
  const seen = findSeen(deps, scope, input);
  // Before anything else is looked at: whatever has become of cluster and definition since, the answer is the first one.
  if (seen) return answerAgain(deps, seen, hashOf(input));
  const cluster = requireCluster(deps.cache, scope, input.cluster);
  const { launchType, strategy } = readCompute(cluster, input);
  const { spec, subnets } = readTaskRequest(deps.cache, cluster, input, launchType, call);
  requireTaskRoles(deps, spec);
  const requestHash = clientToken ? hashOf(input) : "";
  const result = await placer.placeTasks({
    spec,
    count,
    constraints: readConstraints(input, spec.definition, spec.launchType),
    strategies: readStrategies(input, spec.launchType),
    ...(subnets && { subnets }),
    ...(strategy.length > 0 && { capacityProviders: distribute(strategy, count) }),
    ...(clientToken && { token: { clientToken, requestHash } }),
  });
  if (result.outcome === "tokenSeen") {
    const { name: clusterName } = cluster;
    return answerAgain(deps, { ...scope, clusterName, token: result.token }, requestHash);
  }
  return {
    tasks: result.tasks.map((task) => presentTask(task, instanceOf(deps, task), task.tags)),
    failures: [...result.failures],
  };
}

function checkRunTask(input: RunTaskRequest, count: number): void {
  if (!Number.isInteger(count) || count < 1 || count > COUNT_MAX) {
    throw invalid(`count must be between 1 and ${COUNT_MAX}, not ${count}.`);
  }
  if (input.clientToken && !isClientToken(input.clientToken)) {
    throw invalid(
      `Invalid clientToken ${quoted(input.clientToken)}: it has up to 64 printable ASCII characters.`,
    );
  }
}

/** Equal for equal requests, whatever the order of their members. The token itself is not part of it. */
function hashOf({ clientToken: _, ...request }: RunTaskRequest): string {
  const canonical = JSON.stringify(request, (_name, value: unknown) =>
    value !== null && typeof value === "object" && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
  return createHash("sha256").update(canonical).digest("hex");
}

/** A client token that was seen before, and where. */
interface SeenToken extends Scope {
  readonly clusterName: string;
  readonly token: RunToken;
}

function findSeen(
  deps: EcsDeps,
  scope: Scope,
  { cluster, clientToken }: RunTaskRequest,
): SeenToken | undefined {
  const clusterName = clusterNameOf(scope, cluster);
  if (!clientToken || clusterName === undefined) return undefined;
  const token = findRunToken(deps, { ...scope, clusterName }, clientToken);
  return token && { ...scope, clusterName, token };
}

/** ECS: the same request has the same answer; of tasks that have stopped only the states are told. */
function answerAgain(deps: EcsDeps, seen: SeenToken, requestHash: string): RunTaskResponse {
  const { token, clusterName } = seen;
  if (token.requestHash !== requestHash) {
    throw new ApiError(
      "ConflictException",
      "The client token was used before, in a request with other parameters.",
      { members: { resourceIds: token.taskIds.map((id) => taskArn(seen, clusterName, id)) } },
    );
  }
  const tasks = token.taskIds.flatMap(
    (id) => (deps.cache.get(taskKey(seen, clusterName, id))?.value as Task | undefined) ?? [],
  );
  return {
    tasks: tasks.map((task) => presentAgain(deps, task)),
    failures: token.failures.map((failure) => ({ ...failure })),
  };
}

function presentAgain(deps: EcsDeps, task: Task): AwsTask {
  if (task.lastStatus !== "STOPPED") return presentTask(task, instanceOf(deps, task), task.tags);
  const { lastStatus, desiredStatus } = task;
  return { taskArn: taskArn(task, task.clusterName, task.id), lastStatus, desiredStatus };
}

/** Starts one task on each instance named: no strategy chooses, but what an instance must have it must have. */
async function startTask(
  deps: EcsDeps,
  placer: Placer,
  input: StartTaskRequest,
  call: Call,
): Promise<StartTaskResponse> {
  const cluster = requireCluster(deps.cache, scopeOf(call), input.cluster);
  const asked = input.containerInstances ?? [];
  if (asked.length === 0) throw clientFault("Container Instances cannot be empty.");
  if (asked.length > COUNT_MAX) {
    throw invalid(`Container Instances cannot have more than ${COUNT_MAX} elements`);
  }
  const { startedBy = "" } = input;
  if (startedBy.length > STARTED_BY_LENGTH_MAX) {
    throw invalid(
      `Invalid startedBy ${quoted(startedBy)}: it has up to ${STARTED_BY_LENGTH_MAX} characters in StartTask.`,
    );
  }
  const { launchType } = ON_INSTANCES;
  const { spec, subnets } = readTaskRequest(deps.cache, cluster, input, launchType, call);
  requireTaskRoles(deps, spec);
  const constraints = readConstraints({}, spec.definition, spec.launchType);
  const tasks: Task[] = [];
  const failures: Failure[] = [];
  // All of them before the first task is there: an identifier that cannot be read fails the call.
  const named = asked.map((text) => ({ text, instance: findInstance(deps, cluster, text) }));
  for (const { text, instance } of named) {
    if (instance === undefined || instance.status === "INACTIVE") {
      const reason = instance === undefined ? "MISSING" : "INACTIVE";
      failures.push({ ...missingInstance(cluster, text), reason });
      continue;
    }
    const result = await placer.placeTasks({
      spec,
      count: 1,
      constraints,
      strategies: [],
      instanceIds: [instance.id],
      ...(subnets && { subnets }),
    });
    if (result.outcome !== "placed") continue;
    tasks.push(...result.tasks);
    failures.push(...result.failures);
  }
  return {
    tasks: tasks.map((task) => presentTask(task, instanceOf(deps, task), task.tags)),
    failures,
  };
}

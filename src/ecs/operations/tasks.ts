import type {
  DescribeTasksRequest,
  DescribeTasksResponse,
  Failure,
  ListTasksRequest,
  ListTasksResponse,
  StopTaskRequest,
  StopTaskResponse,
} from "@aws-sdk/client-ecs";
import type { Call } from "../../door/service.ts";
import { ApiError } from "../../lib/errors.ts";
import { updateRecord } from "../../store/commit.ts";
import type { EcsDeps } from "../control/deps.ts";
import { taskArn } from "../model/arn.ts";
import type { Cluster } from "../model/cluster.ts";
import type { Instance } from "../model/instance.ts";
import { clusterKey, instanceKey, taskKey, tasksPrefix } from "../model/keys.ts";
import { requestStop } from "../model/request-stop.ts";
import type { Task } from "../model/task.ts";
import type { EcsOperations } from "./ecs-operations.ts";
import { invalid, requireBatch } from "./invalid.ts";
import { pageInOrder } from "./page.ts";
import { presentTask } from "./present-task.ts";
import { idOf, memberResource, requireCluster, scopeOf } from "./resolve.ts";

/** The rows of operations on tasks that are there. */
export function taskOperations(deps: EcsDeps): EcsOperations {
  return {
    DescribeTasks: {
      support: "full",
      action: "ecs:DescribeTasks",
      resources: ({ cluster, tasks }, call) =>
        (tasks ?? []).map((text) => memberResource(call, "task", cluster, text)),
      handle: async (input, call) => describeTasks(deps, input, call),
    },
    ListTasks: {
      support: "full",
      action: "ecs:ListTasks",
      resources: ({ cluster, containerInstance }, call) => [
        memberResource(call, "container-instance", cluster, containerInstance),
      ],
      handle: async (input, call) => listTasks(deps, input, call),
    },
    StopTask: {
      support: "full",
      action: "ecs:StopTask",
      resources: ({ cluster, task }, call) => [memberResource(call, "task", cluster, task)],
      handle: (input, call) => stopTask(deps, input, call),
    },
  };
}

function describeTasks(
  deps: EcsDeps,
  input: DescribeTasksRequest,
  call: Call,
): DescribeTasksResponse {
  const cluster = requireCluster(deps.cache, scopeOf(call), input.cluster);
  requireBatch("Tasks", input.tasks, 100);
  const withTags = input.include?.includes("TAGS") ?? false;
  const found = (input.tasks ?? []).map((text) => ({ text, task: findTask(deps, cluster, text) }));
  return {
    tasks: found.flatMap(({ task }) =>
      task ? [presentTask(task, instanceOf(deps, task), withTags ? task.tags : [])] : [],
    ),
    failures: found.flatMap(({ text, task }) => (task ? [] : [missingTask(cluster, text)])),
  };
}

/** The failure for a task that is not there. */
export function missingTask(cluster: Cluster, text: string): Failure {
  const arn = text.startsWith("arn:") ? text : taskArn(cluster, cluster.name, text);
  return { arn, reason: "MISSING" };
}

/** The task that an id or ARN names. */
export function findTask({ cache }: EcsDeps, cluster: Cluster, text: string): Task | undefined {
  const id = idOf(cluster, "task", text);
  return id === undefined
    ? undefined
    : (cache.get(taskKey(cluster, cluster.name, id))?.value as Task | undefined);
}

/** The container instance of a task, which for FARGATE is the fleet's. */
export function instanceOf({ cache }: EcsDeps, { placement }: Task): Instance | undefined {
  const { instance } = placement;
  const key = instanceKey(instance, instance.clusterName, instance.id);
  return cache.get(key)?.value as Instance | undefined;
}

function listTasks({ cache }: EcsDeps, input: ListTasksRequest, call: Call): ListTasksResponse {
  const cluster = requireCluster(cache, scopeOf(call), input.cluster);
  const conditions = conditionsOf(cache, cluster, input);
  const { items, nextToken } = pageInOrder(
    (id) => idsAfter(cache, cluster, id, conditions),
    input,
    { keyOf: (id) => id },
  );
  return {
    taskArns: items.map((id) => taskArn(cluster, cluster.name, id)),
    ...(nextToken !== undefined && { nextToken }),
  };
}

/** What a caller wants tasks to be: all that they name must hold. */
interface Conditions {
  readonly desiredStatus: string;
  /** The members that {@link holds} looks at: no more is parsed of tasks that nobody has read yet. */
  readonly reads: readonly (keyof Task)[];
  readonly holds: (task: Partial<Task>) => boolean;
}

/** The ids behind `id` of the tasks that are asked for. Only those who ask for what has stopped have it looked at: it may be very much. */
function* idsAfter(
  cache: EcsDeps["cache"],
  cluster: Cluster,
  id: string,
  { desiredStatus, reads, holds }: Conditions,
): Generator<string, void, undefined> {
  const prefix = tasksPrefix(cluster, cluster.name);
  const records =
    desiredStatus === "STOPPED"
      ? cache.listAfter(prefix, prefix + id)
      : cache.lookupAfter("liveTasksByCluster", clusterKey(cluster, cluster.name), prefix + id);
  for (const record of records) {
    if (holds(record.members(reads) as Partial<Task>)) yield record.key.slice(prefix.length);
  }
}

function conditionsOf(
  cache: EcsDeps["cache"],
  cluster: Cluster,
  input: ListTasksRequest,
): Conditions {
  const { containerInstance, daemonName, desiredStatus = "RUNNING", family } = input;
  const { launchType, serviceName, startedBy } = input;
  if (startedBy && (family || containerInstance || serviceName)) {
    throw invalid("startedBy cannot be combined with other filters.");
  }
  // There are no services yet, so none can be found.
  if (serviceName) throw new ApiError("ServiceNotFoundException", "Service not found.");
  const instanceId = containerInstance && requireInstance(cache, cluster, containerInstance);
  const group = daemonName && `daemon:${daemonName}`;
  const isOnInstance = (task: Partial<Task>): boolean =>
    task.launchType !== "FARGATE" && task.placement?.instance.id === instanceId;
  return {
    desiredStatus,
    reads: [
      "desiredStatus",
      ...(containerInstance ? (["launchType", "placement"] as const) : []),
      ...(family ? (["family"] as const) : []),
      ...(group ? (["group"] as const) : []),
      ...(launchType ? (["launchType"] as const) : []),
      ...(startedBy ? (["startedBy"] as const) : []),
    ],
    holds: (task) =>
      task.desiredStatus === desiredStatus &&
      (!containerInstance || isOnInstance(task)) &&
      (!family || task.family === family) &&
      (!group || task.group === group) &&
      (!launchType || task.launchType === launchType) &&
      (!startedBy || task.startedBy === startedBy),
  };
}

/** The id of a container instance, which may be out of service. */
function requireInstance(cache: EcsDeps["cache"], cluster: Cluster, text: string): string {
  const id = idOf(cluster, "container-instance", text);
  if (id !== undefined && cache.get(instanceKey(cluster, cluster.name, id))) return id;
  throw invalid(`Referenced container instance ${text} not found.`);
}

async function stopTask(
  deps: EcsDeps,
  input: StopTaskRequest,
  call: Call,
): Promise<StopTaskResponse> {
  const cluster = requireCluster(deps.cache, scopeOf(call), input.cluster);
  const id = idOf(cluster, "task", input.task ?? "");
  const stopped =
    id !== undefined &&
    (await updateRecord<Task>(deps, taskKey(cluster, cluster.name, id), (task) => {
      const next = requestStop(task, {
        stopCode: "UserInitiated",
        reason: input.reason || "Task stopped by user",
        now: deps.clock.now(),
      });
      // ECS: stopping a task deletes its tags.
      return next === task ? task : { ...next, tags: [] };
    }));
  if (!stopped) throw invalid("The referenced task was not found.");
  return { task: presentTask(stopped, instanceOf(deps, stopped), stopped.tags) };
}

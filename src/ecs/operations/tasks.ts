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
  const isListed = taskFilter(cluster, input);
  const { items, nextToken } = pageInOrder(
    (id) => tasksAfter(cache, cluster, input, { id, isListed }),
    input,
    { keyOf: ({ id }) => id },
  );
  return {
    taskArns: items.map(({ id }) => taskArn(cluster, cluster.name, id)),
    ...(nextToken !== undefined && { nextToken }),
  };
}

/** Tasks with higher ids. What has stopped, of which a cluster may have kept very many, is looked at for those who ask for it. */
function* tasksAfter(
  cache: EcsDeps["cache"],
  cluster: Cluster,
  { desiredStatus = "RUNNING" }: ListTasksRequest,
  { id, isListed }: { readonly id: string; readonly isListed: (task: Task) => boolean },
): Generator<Task, void, undefined> {
  const after = taskKey(cluster, cluster.name, id);
  const records =
    desiredStatus === "STOPPED"
      ? cache.listAfter(tasksPrefix(cluster, cluster.name), after)
      : cache.lookupAfter("liveTasksByCluster", clusterKey(cluster, cluster.name), after);
  for (const { value } of records) if (isListed(value as Task)) yield value as Task;
}

/** Which tasks a caller wants to see; all that they name must hold. */
function taskFilter(cluster: Cluster, input: ListTasksRequest): (task: Task) => boolean {
  const { family, startedBy, launchType, daemonName, desiredStatus = "RUNNING" } = input;
  const { containerInstance, serviceName } = input;
  if (startedBy && (family || containerInstance || serviceName)) {
    throw invalid("startedBy cannot be combined with other filters.");
  }
  // There are no services yet, so none can be found.
  if (serviceName) throw new ApiError("ServiceNotFoundException", "Service not found.");
  const instanceId = containerInstance && idOf(cluster, "container-instance", containerInstance);
  return (task) =>
    task.desiredStatus === desiredStatus &&
    (!family || task.family === family) &&
    (!startedBy || task.startedBy === startedBy) &&
    (!launchType || task.launchType === launchType) &&
    (!daemonName || task.group === `daemon:${daemonName}`) &&
    (!containerInstance ||
      (task.launchType !== "FARGATE" && task.placement.instance.id === instanceId));
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

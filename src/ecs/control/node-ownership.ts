/**
 * What is a machine's own. Its key may do what its role says, but only with its own container instances and with the log
 * streams of its own tasks: what names a task or an instance in its input is checked by the operation.
 */
import type { Principal } from "../../door/service.ts";
import { machineOf } from "../../iam/model/access-key.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Cache } from "../../store/cache.ts";
import { parseArn } from "../model/arn.ts";
import type { Instance } from "../model/instance.ts";
import { instanceKey, taskDefinitionKey, taskKey } from "../model/keys.ts";
import { doneAt, type Task } from "../model/task.ts";
import type { TaskDefinition } from "../model/task-definition.ts";
import { SHIPPING_MS_MAX } from "./task-credentials.ts";

export interface NodeOwnershipDeps {
  readonly cache: Cache;
  readonly clock: Clock;
}

/** Whether a machine may do something to a resource, which its role's policy allows in general. */
export type MayNode = (principal: Principal, action: string, resource: string) => boolean;

interface Stream {
  readonly region: string;
  readonly group: string;
  /** Empty: all of the group. */
  readonly stream: string;
}

/** Makes that function over the records of tasks and instances. */
export function createNodeOwnership(deps: NodeOwnershipDeps): MayNode {
  return (principal, action, resource) => {
    const machine = machineOf(principal);
    if (machine === undefined) return false;
    if (action.startsWith("logs:")) {
      const stream = parseStream(resource);
      return stream !== undefined && ownsStream(deps, principal, machine, stream);
    }
    if (action === "ecs:Poll" || action === "ecs:StartTelemetrySession") {
      return ownsInstance(deps, machine, resource);
    }
    if (action === "ecs:ListTagsForResource") {
      const isTask = parseArn(resource)?.type === "task";
      return isTask ? ownsTask(deps, machine, resource) : ownsInstance(deps, machine, resource);
    }
    return true;
  };
}

/** What is not an instance of anyone is left to the handshake, which has words for it that agents understand. */
function ownsInstance({ cache }: NodeOwnershipDeps, machine: string, resource: string): boolean {
  const arn = parseArn(resource);
  const [cluster, id] = arn?.path ?? [];
  if (arn?.type !== "container-instance" || cluster === undefined || id === undefined) return true;
  const instance = cache.get(instanceKey(arn, cluster, id))?.value as Instance | undefined;
  return instance === undefined || instance.ec2InstanceId === machine;
}

function ownsTask({ cache }: NodeOwnershipDeps, machine: string, resource: string): boolean {
  const arn = parseArn(resource);
  const [cluster, id] = arn?.path ?? [];
  if (arn === undefined || cluster === undefined || id === undefined) return false;
  const task = cache.get(taskKey(arn, cluster, id))?.value as Task | undefined;
  return task?.placement.ec2InstanceId === machine;
}

function parseStream(resource: string): Stream | undefined {
  const match = /^arn:aws:logs:([^:]+):\d{12}:log-group:([^:]+):log-stream:(.*)$/.exec(resource);
  if (match === null) return undefined;
  const [, region = "", group = "", stream = ""] = match;
  return { region, group, stream };
}

/** What other agents call a stream: the container's id, or whatever the definition says. Empty: all of the group. */
const OTHER_STREAM = /^[\w.-]*$/;
/** Of a stream named `<prefix>/<container>/<task>`, and of what our agent calls one that has no prefix. */
const TASK_IN_STREAM = /(?:\/|^)([0-9a-f]{32})(?:$|-[^/]*$)/;

function ownsStream(
  deps: NodeOwnershipDeps,
  { accountId }: Principal,
  machine: string,
  { region, group, stream }: Stream,
): boolean {
  const host = `${region}/${machine}`;
  const [, id] = TASK_IN_STREAM.exec(stream) ?? [];
  if (id === undefined && !OTHER_STREAM.test(stream)) return false;
  const tasks = id === undefined ? liveTasks(deps.cache, host) : tasksById(deps.cache, host, id);
  return tasks.some(
    (task) =>
      task.accountId === accountId &&
      task.placement.ec2InstanceId === machine &&
      isShipping(deps, task) &&
      shipsTo(deps.cache, task, group),
  );
}

function liveTasks(cache: Cache, host: string): readonly Task[] {
  return cache.lookup("tasksByHost", host).map(({ value }) => value as Task);
}

function tasksById(cache: Cache, host: string, id: string): readonly Task[] {
  return cache.lookup("instancesByHost", host).flatMap(({ value }) => {
    const instance = value as Instance;
    const record = cache.get(taskKey(instance, instance.clusterName, id));
    return record === undefined ? [] : [record.value as Task];
  });
}

function isShipping({ clock }: NodeOwnershipDeps, task: Task): boolean {
  return clock.now() < doneAt(task) + SHIPPING_MS_MAX;
}

/** A task that has an execution role ships its output under that role. */
function shipsTo(cache: Cache, task: Task, group: string): boolean {
  if (task.executionRoleArn !== undefined) return false;
  const key = taskDefinitionKey(task, task.family, task.revision);
  const definition = cache.get(key)?.value as TaskDefinition | undefined;
  const containers = definition?.document.containerDefinitions ?? [];
  return containers.some(
    ({ logConfiguration }) =>
      logConfiguration?.logDriver === "awslogs" &&
      logConfiguration.options?.["awslogs-group"] === group,
  );
}

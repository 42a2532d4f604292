import type {
  ContainerInstance,
  DeregisterContainerInstanceRequest,
  DeregisterContainerInstanceResponse,
  DescribeContainerInstancesRequest,
  DescribeContainerInstancesResponse,
  Failure,
  ListContainerInstancesRequest,
  ListContainerInstancesResponse,
  UpdateContainerAgentRequest,
  UpdateContainerInstancesStateRequest,
  UpdateContainerInstancesStateResponse,
} from "@aws-sdk/client-ecs";
import type { Call } from "../../door/service.ts";
import { ApiError, UnavailableError } from "../../lib/errors.ts";
import { commit, updateRecord } from "../../store/commit.ts";
import type { EcsDeps } from "../control/deps.ts";
import { takenOn, tasksOf } from "../control/instance-tasks.ts";
import { confirmStops, endTasks } from "../control/instances.ts";
import { instanceArn } from "../model/arn.ts";
import type { Cluster } from "../model/cluster.ts";
import { type Instance, retire } from "../model/instance.ts";
import { DEREGISTERED } from "../model/instance-step.ts";
import { hostKey, instanceKey, instancesPrefix } from "../model/keys.ts";
import { matchesQuery } from "../model/query.ts";
import { parseQuery } from "../model/query-parse.ts";
import type { Task } from "../model/task.ts";
import { countTasks } from "../model/task-counts.ts";
import type { EcsOperations } from "./ecs-operations.ts";
import { clientFault, invalid, requireBatch } from "./invalid.ts";
import { pageOf } from "./page.ts";
import { presentInstance } from "./present.ts";
import { clusterResource, idOf, memberResource, requireCluster, scopeOf } from "./resolve.ts";

/** The rows of container instance operations that users call. */
export function containerInstanceOperations(deps: EcsDeps): EcsOperations {
  return {
    DescribeContainerInstances: {
      support: "full",
      action: "ecs:DescribeContainerInstances",
      resources: ({ cluster, containerInstances }, call) =>
        (containerInstances ?? []).map((text) =>
          memberResource(call, "container-instance", cluster, text),
        ),
      handle: async (input, call) => describeInstances(deps, input, call),
    },
    ListContainerInstances: {
      support: "full",
      action: "ecs:ListContainerInstances",
      resources: ({ cluster }, call) => [clusterResource(call, cluster)],
      handle: async (input, call) => listInstances(deps, input, call),
    },
    UpdateContainerInstancesState: {
      support: "full",
      action: "ecs:UpdateContainerInstancesState",
      resources: ({ cluster, containerInstances }, call) =>
        (containerInstances ?? []).map((text) =>
          memberResource(call, "container-instance", cluster, text),
        ),
      handle: (input, call) => updateInstancesState(deps, input, call),
    },
    UpdateContainerAgent: {
      support: "partial",
      missing:
        "there is never an update: our agent is part of the program, the ECS agent's own updates come from AWS",
      action: "ecs:UpdateContainerAgent",
      resources: ({ cluster, containerInstance }, call) => [
        memberResource(call, "container-instance", cluster, containerInstance),
      ],
      handle: async (input, call) => updateAgent(deps, input, call),
    },
    DeregisterContainerInstance: {
      support: "full",
      action: "ecs:DeregisterContainerInstance",
      resources: ({ cluster }, call) => [clusterResource(call, cluster)],
      handle: (input, call) => deregisterInstance(deps, input, call),
    },
  };
}

function describeInstances(
  deps: EcsDeps,
  input: DescribeContainerInstancesRequest,
  call: Call,
): DescribeContainerInstancesResponse {
  const cluster = requireCluster(deps.cache, scopeOf(call), input.cluster);
  const asked = input.containerInstances ?? [];
  if (asked.length === 0) throw clientFault("Container Instances cannot be empty.");
  requireBatch("Container Instances", asked, 100);
  const withTags = input.include?.includes("TAGS") ?? false;
  const found = asked.map((text) => ({ text, instance: findInstance(deps, cluster, text) }));
  const show = (instance: Instance): ContainerInstance => ({
    ...present(deps, instance, withTags),
    ...(input.include?.includes("CONTAINER_INSTANCE_HEALTH") && {
      healthStatus: healthOf(deps, instance),
    }),
  });
  return {
    containerInstances: found.flatMap(({ instance }) => (instance ? [show(instance)] : [])),
    failures: found.flatMap(({ text, instance }) =>
      instance ? [] : [missingInstance(cluster, text)],
    ),
  };
}

function healthOf(
  { clock, telemetry }: EcsDeps,
  instance: Instance,
): ReturnType<EcsDeps["telemetry"]["instances"]["present"]> {
  const key = instanceKey(instance, instance.clusterName, instance.id);
  return telemetry.instances.present(key, clock.now());
}

/** The container instance that an id or ARN names. */
export function findInstance(
  { cache }: EcsDeps,
  cluster: Cluster,
  text: string,
): Instance | undefined {
  const id = idOf(cluster, "container-instance", text);
  return id === undefined
    ? undefined
    : (cache.get(instanceKey(cluster, cluster.name, id))?.value as Instance | undefined);
}

/** The failure for a container instance that is not there. */
export function missingInstance(cluster: Cluster, text: string): Failure {
  const arn = text.startsWith("arn:") ? text : instanceArn(cluster, cluster.name, text);
  return { arn, reason: "MISSING" };
}

function present({ cache }: EcsDeps, instance: Instance, withTags: boolean): ContainerInstance {
  const tags = withTags ? instance.tags : [];
  const key = instanceKey(instance, instance.clusterName, instance.id);
  return {
    ...presentInstance(instance, takenOn(cache, instance), tasksOf(cache, instance), tags),
    // Grows with each change of the record, as ECS's counter does, though not by one.
    version: cache.get(key)?.revision ?? 0,
  };
}

/** Nothing is offered, so nothing is ever staged: which exception says so depends on what is known of the agent. */
function updateAgent(deps: EcsDeps, input: UpdateContainerAgentRequest, call: Call): never {
  const cluster = requireCluster(deps.cache, scopeOf(call), input.cluster);
  const text = input.containerInstance ?? "";
  const instance = findInstance(deps, cluster, text);
  if (!instance) throw invalid(`Referenced container instance ${text} not found.`);
  if (instance.status === "INACTIVE") throw invalid(`Container instance ${text} is inactive.`);
  if (!instance.versionInfo.agentVersion) {
    throw new ApiError(
      "MissingVersionException",
      "The current version of the container agent on the container instance is not known.",
    );
  }
  throw new ApiError(
    "NoUpdateAvailableException",
    `There is no update available for the container agent ${instance.versionInfo.agentVersion}.`,
  );
}

function listInstances(
  { cache }: EcsDeps,
  input: ListContainerInstancesRequest,
  call: Call,
): ListContainerInstancesResponse {
  const cluster = requireCluster(cache, scopeOf(call), input.cluster);
  const query = input.filter ? parseQuery(input.filter) : undefined;
  const instances = cache
    .list(instancesPrefix(cluster, cluster.name))
    .map(({ value }) => value as Instance)
    .filter(({ status }) => (input.status ? status === input.status : status !== "INACTIVE"))
    .filter((instance) => {
      if (!query) return true;
      const tasks = tasksOf(cache, instance).filter(({ lastStatus }) => lastStatus !== "STOPPED");
      return matchesQuery(query, {
        instance,
        runningTasksCount: countTasks(tasks).runningCount,
        groups: tasks.map(({ group }) => group),
      });
    });
  const { items, nextToken } = pageOf(instances, input, { keyOf: ({ id }) => id });
  return {
    containerInstanceArns: items.map(({ id }) => instanceArn(cluster, cluster.name, id)),
    ...(nextToken !== undefined && { nextToken }),
  };
}

async function updateInstancesState(
  deps: EcsDeps,
  input: UpdateContainerInstancesStateRequest,
  call: Call,
): Promise<UpdateContainerInstancesStateResponse> {
  const { status } = input;
  if (status !== "ACTIVE" && status !== "DRAINING") {
    throw invalid("Container instance status should be one of [ACTIVE, DRAINING]");
  }
  const cluster = requireCluster(deps.cache, scopeOf(call), input.cluster);
  if (!input.containerInstances?.length) {
    throw clientFault("Container Instances cannot be empty.");
  }
  requireBatch("Container Instances", input.containerInstances, 10);
  const containerInstances: ContainerInstance[] = [];
  const failures: Failure[] = [];
  // All of them before the first is changed: an identifier that cannot be read fails the call.
  const named = input.containerInstances.map((text) => ({
    text,
    id: idOf(cluster, "container-instance", text),
  }));
  for (const { text, id } of named) {
    const instance: Instance | undefined =
      id === undefined ? undefined : await setStatus(deps, cluster, id, status);
    if (!instance) failures.push(missingInstance(cluster, text));
    else if (instance.status !== status) {
      failures.push({ arn: instanceArn(cluster, cluster.name, instance.id), reason: "INACTIVE" });
    } else containerInstances.push(present(deps, instance, true));
  }
  return { containerInstances, failures };
}

/** The instance as it then stands: what is INACTIVE stays so. */
async function setStatus(
  deps: EcsDeps,
  cluster: Cluster,
  id: string,
  status: "ACTIVE" | "DRAINING",
): Promise<Instance | undefined> {
  return updateRecord<Instance>(deps, instanceKey(cluster, cluster.name, id), (instance) =>
    instance.status === "INACTIVE" || instance.status === status
      ? instance
      : { ...instance, status },
  );
}

/**
 * Takes an instance out of its cluster. With `force` its tasks end in our books, whatever becomes of their containers: the
 * instance goes first, so that no task can follow; control/instances completes a call that was cut short.
 */
async function deregisterInstance(
  deps: EcsDeps,
  input: DeregisterContainerInstanceRequest,
  call: Call,
): Promise<DeregisterContainerInstanceResponse> {
  const cluster = requireCluster(deps.cache, scopeOf(call), input.cluster);
  const text = input.containerInstance ?? "";
  const before = findInstance(deps, cluster, text);
  if (!before) throw invalid(`Referenced container instance ${text} not found.`);
  const instance = await deactivate(deps, before, { allowsTasks: input.force ?? false });
  const key = instanceKey(cluster, cluster.name, instance.id);
  await endTasks(deps, key, instance.retired ?? DEREGISTERED);
  await confirmStops(deps, key);
  return { containerInstance: present(deps, instance, true) };
}

/** Lost races in a row against placements on the same machine. */
const ATTEMPTS_MAX = 20;

async function deactivate(
  deps: EcsDeps,
  { region, clusterName, id, accountId }: Instance,
  options: { readonly allowsTasks: boolean },
): Promise<Instance> {
  const key = instanceKey({ accountId, region }, clusterName, id);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const record = deps.cache.get(key);
    const instance = record?.value as Instance | undefined;
    if (!record || !instance) throw invalid(`Referenced container instance ${id} not found.`);
    if (instance.status === "INACTIVE") return instance;
    if (!options.allowsTasks && liveTasksOf(deps, instance).length > 0) {
      throw invalid("Found running tasks on the instance.");
    }
    const host = hostKey(region, instance.ec2InstanceId);
    const after = retire(instance, { at: deps.clock.now(), ...DEREGISTERED });
    const isWritten = await commit(
      deps,
      [
        { key, revision: record.revision },
        // Every placement on the machine rewrites it: the instance is as idle as it was seen to be.
        { key: host, revision: deps.cache.get(host)?.revision ?? 0 },
      ],
      [{ key, value: after }],
    );
    if (isWritten) return after;
  }
  throw new UnavailableError(`container instance ${id} keeps changing`);
}

function liveTasksOf({ cache }: EcsDeps, instance: Instance): readonly Task[] {
  return tasksOf(cache, instance).filter(({ lastStatus }) => lastStatus !== "STOPPED");
}

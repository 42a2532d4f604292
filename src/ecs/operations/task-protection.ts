import type {
  Failure,
  GetTaskProtectionRequest,
  GetTaskProtectionResponse,
  ProtectedTask,
  UpdateTaskProtectionRequest,
  UpdateTaskProtectionResponse,
} from "@aws-sdk/client-ecs";
import type { Call } from "../../door/service.ts";
import { updateRecord } from "../../store/commit.ts";
import type { EcsDeps } from "../control/deps.ts";
import { taskArn } from "../model/arn.ts";
import type { Cluster } from "../model/cluster.ts";
import { taskKey } from "../model/keys.ts";
import type { Task } from "../model/task.ts";
import {
  findProtectionViolation,
  type ProtectionRequest,
  protectionEnd,
  whyNotProtectable,
  withProtection,
} from "../model/task-protection.ts";
import type { EcsOperations } from "./ecs-operations.ts";
import { invalid, requireBatch } from "./invalid.ts";
import { memberResource, requireCluster, scopeOf } from "./resolve.ts";
import { findTask, missingTask } from "./tasks.ts";

/** The rows of operations on scale-in protection. */
export function taskProtectionOperations(deps: EcsDeps): EcsOperations {
  return {
    GetTaskProtection: {
      support: "full",
      action: "ecs:GetTaskProtection",
      resources: ({ cluster, tasks }, call) =>
        (tasks ?? []).map((text) => memberResource(call, "task", cluster, text)),
      handle: async (input, call) => getTaskProtection(deps, input, call),
    },
    UpdateTaskProtection: {
      support: "partial",
      missing: "the failure DEPLOYMENT_BLOCKED, which needs services",
      action: "ecs:UpdateTaskProtection",
      resources: ({ cluster, tasks }, call) =>
        (tasks ?? []).map((text) => memberResource(call, "task", cluster, text)),
      handle: (input, call) => updateTaskProtection(deps, input, call),
    },
  };
}

function getTaskProtection(
  deps: EcsDeps,
  input: GetTaskProtectionRequest,
  call: Call,
): GetTaskProtectionResponse {
  const cluster = requireCluster(deps.cache, scopeOf(call), input.cluster);
  requireBatch("Tasks", input.tasks, 100);
  const protectedTasks: ProtectedTask[] = [];
  const failures: Failure[] = [];
  for (const text of input.tasks ?? []) {
    const task = findTask(deps, cluster, text);
    const failure = failureOf(cluster, text, task);
    if (failure) failures.push(failure);
    else if (task) protectedTasks.push(present(task, deps.clock.now()));
  }
  return { protectedTasks, failures };
}

async function updateTaskProtection(
  deps: EcsDeps,
  input: UpdateTaskProtectionRequest,
  call: Call,
): Promise<UpdateTaskProtectionResponse> {
  const cluster = requireCluster(deps.cache, scopeOf(call), input.cluster);
  requireBatch("Tasks", input.tasks, 10);
  const request: ProtectionRequest = {
    enabled: input.protectionEnabled ?? false,
    expiresInMinutes: input.expiresInMinutes,
  };
  const violation = findProtectionViolation(request);
  if (violation !== undefined) throw invalid(violation);
  const protectedTasks: ProtectedTask[] = [];
  const failures: Failure[] = [];
  // All of them before the first is changed: an identifier that cannot be read fails the call.
  const named = (input.tasks ?? []).map((text) => ({ text, found: findTask(deps, cluster, text) }));
  for (const { text, found } of named) {
    const task = await protect(deps, found, request);
    const failure = failureOf(cluster, text, task);
    if (failure) failures.push(failure);
    else if (task) protectedTasks.push(present(task, deps.clock.now()));
  }
  return { protectedTasks, failures };
}

/** The task as it then stands: one that cannot be protected stays as it is. */
async function protect(
  deps: EcsDeps,
  found: Task | undefined,
  request: ProtectionRequest,
): Promise<Task | undefined> {
  if (found === undefined) return undefined;
  return updateRecord<Task>(deps, taskKey(found, found.clusterName, found.id), (task) =>
    whyNotProtectable(task) === undefined ? withProtection(task, request, deps.clock.now()) : task,
  );
}

function failureOf(cluster: Cluster, text: string, task: Task | undefined): Failure | undefined {
  if (task === undefined) return missingTask(cluster, text);
  const detail = whyNotProtectable(task);
  if (detail === undefined) return undefined;
  return { arn: taskArn(task, task.clusterName, task.id), reason: "TASK_NOT_VALID", detail };
}

function present(task: Task, now: number): ProtectedTask {
  const end = protectionEnd(task, now);
  return {
    taskArn: taskArn(task, task.clusterName, task.id),
    protectionEnabled: end !== undefined,
    ...(end !== undefined && { expirationDate: new Date(end) }),
  };
}

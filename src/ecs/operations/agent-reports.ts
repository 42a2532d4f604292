import type {
  NetworkBinding as AwsNetworkBinding,
  ContainerStateChange,
  SubmitContainerStateChangeCommandInput,
  SubmitTaskStateChangeCommandInput,
} from "@aws-sdk/client-ecs";
import type { Call } from "../../door/service.ts";
import { machineOf } from "../../iam/model/access-key.ts";
import { ApiError } from "../../lib/errors.ts";
import { updateRecord } from "../../store/commit.ts";
import type { EcsDeps } from "../control/deps.ts";
import { confirmStop, findUnconfirmedStop, type TaskName } from "../control/unconfirmed-stops.ts";
import { advance, type ContainerReport, type TaskReport } from "../model/advance.ts";
import { parseArn } from "../model/arn.ts";
import { defined } from "../model/defined.ts";
import { taskDefinitionKey, taskKey } from "../model/keys.ts";
import type { NetworkBinding, Task, UnconfirmedStop } from "../model/task.ts";
import type { TaskDefinition } from "../model/task-definition.ts";
import { clusterNameOf, scopeOf } from "./resolve.ts";

/**
 * Reports come at least once and out of date; `advance()` makes the same of a report however often it comes. An
 * InvalidParameterException makes the agent drop a report, so it is the answer for unknown tasks only; everything
 * else the agent sends again (`ecs-agent-protocol` §3.2).
 */

/** The agent's word for a task, and what it means here. Any other is news of containers only. */
const EVENT = {
  RUNNING: "agentRunning",
  STOPPED: "agentStopped",
} as const;

/** Takes note of what an agent says about a task. */
export async function submitTaskStateChange(
  deps: EcsDeps,
  input: SubmitTaskStateChangeCommandInput,
  call: Call,
): Promise<void> {
  // Attachments need no word of the agent: an interface is attached when it is made.
  await report(deps, call, input, {
    event: isReported(input.status) ? EVENT[input.status] : "agentPending",
    report: {
      containers: (input.containers ?? []).map(toContainerReport),
      ...defined({
        reason: input.reason,
        pullStartedAt: input.pullStartedAt?.getTime(),
        pullStoppedAt: input.pullStoppedAt?.getTime(),
        executionStoppedAt: input.executionStoppedAt?.getTime(),
      }),
    },
  });
}

/** Takes note of what an agent says about one container. Agents since 1.105 say it with the task. */
export async function submitContainerStateChange(
  deps: EcsDeps,
  input: SubmitContainerStateChangeCommandInput,
  call: Call,
): Promise<void> {
  await report(deps, call, input, {
    event: "agentPending",
    report: { containers: [toContainerReport(input)] },
  });
}

async function report(
  deps: EcsDeps,
  call: Call,
  input: { readonly cluster?: string | undefined; readonly task?: string | undefined },
  change: {
    readonly event: "agentPending" | "agentRunning" | "agentStopped";
    readonly report: TaskReport;
  },
): Promise<void> {
  const name = nameOfTask(input, call);
  const record = name && deps.cache.get(taskKey(name, name.clusterName, name.id));
  // A task that was lost with its machine may have been deleted from the books before the machine came back.
  const stop = name && findUnconfirmedStop(deps, name);
  const named = (record ?? stop)?.value as Task | UnconfirmedStop | undefined;
  if (!named || !mayReport(call, named)) {
    // The same answer for both: a stranger learns nothing about whose tasks exist.
    throw new ApiError("InvalidParameterException", "The referenced task was not found.");
  }
  if (record) {
    await updateRecord<Task>(deps, record.key, (task) =>
      advance(
        task,
        { ...change, report: withHostBindings(deps, task, change.report) },
        deps.clock.now(),
      ),
    );
  }
  const isEnd = change.event === "agentStopped";
  if (isEnd && stop) await confirmStop(deps, stop);
}

/** Agents name tasks by their ARN, which may be of another account than the agent's. */
function nameOfTask(
  input: { readonly cluster?: string | undefined; readonly task?: string | undefined },
  call: Call,
): TaskName | undefined {
  const given = input.task ?? "";
  const arn = parseArn(given);
  if (arn) {
    const [cluster, id] = arn.path;
    const isTask = arn.type === "task" && cluster !== undefined && id !== undefined;
    return isTask ? { ...arn, clusterName: cluster, id } : undefined;
  }
  const cluster = clusterNameOf(scopeOf(call), input.cluster);
  return cluster === undefined ? undefined : { ...scopeOf(call), clusterName: cluster, id: given };
}

/**
 * A machine speaks for the tasks placed on it, whatever account they are of. Whom else policies allow it, for those on
 * the account's own container instances: agents under roles of the account.
 */
function mayReport({ principal, region }: Call, task: Task | UnconfirmedStop): boolean {
  if (task.region !== region) return false;
  const { ec2InstanceId, instance } = task.placement;
  if (principal.kind === "node") return ec2InstanceId === machineOf(principal);
  return task.accountId === principal.accountId && instance.accountId === principal.accountId;
}

function isReported(status: string | undefined): status is keyof typeof EVENT {
  return status !== undefined && Object.hasOwn(EVENT, status);
}

function toContainerReport(change: ContainerStateChange): ContainerReport {
  const { status } = change;
  return {
    name: change.containerName ?? "",
    // What else an agent may say (MANIFEST_PULLED, CREATED, …) are its own steps on the way to RUNNING.
    status: status === "RUNNING" || status === "STOPPED" ? status : "PENDING",
    ...defined({
      runtimeId: change.runtimeId,
      imageDigest: change.imageDigest,
      exitCode: change.exitCode,
      reason: change.reason,
      networkBindings: change.networkBindings?.map(toBinding),
    }),
  };
}

function toBinding(binding: AwsNetworkBinding): NetworkBinding {
  return defined({
    bindIP: binding.bindIP,
    containerPort: binding.containerPort,
    hostPort: binding.hostPort,
    protocol: binding.protocol,
    containerPortRange: binding.containerPortRange,
    hostPortRange: binding.hostPortRange,
  });
}

/** Agents say nothing of ports in host mode, where every container port is the machine's: ECS shows them all the same. */
function withHostBindings(deps: EcsDeps, task: Task, report: TaskReport): TaskReport {
  if (task.networkMode !== "host") return report;
  const definition = deps.cache.get(taskDefinitionKey(task, task.family, task.revision))?.value as
    | TaskDefinition
    | undefined;
  const containers = report.containers.map((container): ContainerReport => {
    if (container.status !== "RUNNING" || container.networkBindings?.length) return container;
    const mappings =
      definition?.document.containerDefinitions?.find(({ name }) => name === container.name)
        ?.portMappings ?? [];
    return {
      ...container,
      networkBindings: mappings.map(({ containerPort, protocol }) =>
        toBinding({ bindIP: "0.0.0.0", containerPort, hostPort: containerPort, protocol }),
      ),
    };
  });
  return { ...report, containers };
}

import { type IndexDefinitions, indexesOf } from "../../store/cache-index.ts";
import type { StoreRecord } from "../../store/store.ts";
import type { Instance } from "../model/instance.ts";
import {
  clusterKey,
  instanceKey,
  revisionsPrefix,
  type Scope,
  taskDefinitionKey,
} from "../model/keys.ts";
import type { LaunchType, Task, UnconfirmedStop } from "../model/task.ts";
import { countedAs } from "../model/task-counts.ts";
import type { TaskDefinition } from "../model/task-definition.ts";

const TASK_MEMBERS = [
  "lastStatus",
  "placement",
  "accountId",
  "region",
  "clusterName",
  "family",
  "revision",
  "launchType",
] as const satisfies readonly (keyof Task)[];

/** Minutes since 1970 of an instant in epoch milliseconds: the values of `stoppedTasksByMinute`. */
export function minuteOf(at: number): string {
  return String(Math.floor(at / 60_000));
}

/** Where `stoppedTasksByMinute` has a task's record; undefined when the task has not stopped. */
export function stopMinuteOf(record: StoreRecord): string | undefined {
  const { lastStatus, stoppedAt = 0 } = record.members(["lastStatus"]) as Partial<Task>;
  return lastStatus === "STOPPED" ? minuteOf(stoppedAt) : undefined;
}

/** The values of `taskCounts`. */
export function taskCountKey(
  cluster: string,
  launchType: LaunchType,
  as: "running" | "pending",
): string {
  return `${cluster} ${launchType} ${as}`;
}

/** The values of `revisionsByStatus`. */
export function revisionsOf(
  scope: Scope,
  family: string,
  status: TaskDefinition["status"],
): string {
  return `${revisionsPrefix(scope, family)}${status}`;
}

const INSTANCE_MEMBERS = [
  "accountId",
  "region",
  "clusterName",
  "ec2InstanceId",
  "status",
  "agentConnected",
  "registration",
] as const satisfies readonly (keyof Instance)[];

function instanceKeyOf({ instance }: Task["placement"]): string {
  return instanceKey(instance, instance.clusterName, instance.id);
}

const NOWHERE: readonly string[] = [];

/** The cache's indexes over the orchestrator's records. Values: keys of other records, or ids. */
export const ecsIndexes: IndexDefinitions = {
  "ecs/tasks": indexesOf<Task>()(
    TASK_MEMBERS,
    {
      /** {@link minuteOf} stoppedAt → the tasks that stopped in that minute. 0: it stands further behind in the document. */
      stoppedTasksByMinute: ({ lastStatus, stoppedAt = 0 }) =>
        lastStatus === "STOPPED" ? [minuteOf(stoppedAt)] : NOWHERE,
      /** {@link minuteOf} confirmedAt → the lost tasks of which their machines confirmed the end in that minute. */
      confirmedTasksByMinute: ({ confirmedAt }) =>
        confirmedAt === undefined ? NOWHERE : [minuteOf(confirmedAt)],
      /** instanceKey → its tasks that are not STOPPED. */
      liveTasksByInstance: ({ lastStatus, placement }) =>
        lastStatus === "STOPPED" ? NOWHERE : [instanceKeyOf(placement)],
      /** clusterKey → its tasks that are not STOPPED. */
      liveTasksByCluster: (task) =>
        task.lastStatus === "STOPPED" ? NOWHERE : [clusterKey(task, task.clusterName)],
      /** `<region>/<ec2InstanceId>` → tasks that still take resources of that machine (not STOPPED). */
      tasksByHost: ({ region, placement, lastStatus }) =>
        lastStatus === "STOPPED" ? NOWHERE : [`${region}/${placement.ec2InstanceId}`],
      /** taskDefinitionKey → tasks of that revision that are not STOPPED. */
      liveTasksByDefinition: (task) =>
        task.lastStatus === "STOPPED"
          ? NOWHERE
          : [taskDefinitionKey(task, task.family, task.revision)],
      /** `all` → tasks whose next step is control/network-interfaces's. */
      tasksAwaitingNetwork: ({ lastStatus }) =>
        lastStatus === "PROVISIONING" || lastStatus === "DEPROVISIONING" ? ["all"] : NOWHERE,
    },
    {
      mayFind: ["stoppedAt", "confirmedAt"],
      // Nearly all of a large store: where a stopped task stands is settled by its first two members.
      skim: { reads: ["lastStatus"], isEnough: ({ lastStatus }) => lastStatus === "STOPPED" },
      counts: {
        /** {@link taskCountKey} → tasks of a cluster that run, or are pending, of a launch type. */
        taskCounts: (task) => {
          const as = countedAs(task.lastStatus);
          return as === undefined
            ? NOWHERE
            : [taskCountKey(clusterKey(task, task.clusterName), task.launchType, as)];
        },
      },
    },
  ),
  "ecs/task-definitions": indexesOf<TaskDefinition>()(["accountId", "region", "family", "status"], {
    /** {@link revisionsOf} → the revisions of a family that are in a state. */
    revisionsByStatus: (definition) => [
      revisionsOf(definition, definition.family, definition.status),
    ],
  }),
  "ecs/unconfirmed-stops": indexesOf<UnconfirmedStop>()(["region", "placement"], {
    /** instanceKey → its tasks whose end it has not confirmed. */
    unconfirmedStopsByInstance: ({ placement }) => [instanceKeyOf(placement)],
    /** `<region>/<ec2InstanceId>` → the same of all instances of a machine. */
    unconfirmedStopsByHost: ({ region, placement }) => [`${region}/${placement.ec2InstanceId}`],
  }),
  "ecs/instances": indexesOf<Instance>()(
    INSTANCE_MEMBERS,
    {
      /** `<region>/<ec2InstanceId>` → its container instances that are not INACTIVE. */
      instancesByHost: ({ region, ec2InstanceId, status }) =>
        status === "INACTIVE" ? [] : [`${region}/${ec2InstanceId}`],
      /** `<region>/<clientToken>` → the instances that were last registered with that token. */
      instancesByToken: ({ region, registration }) =>
        registration?.clientToken === undefined ? [] : [`${region}/${registration.clientToken}`],
      /** Region → its container instances that are not INACTIVE, of all accounts. */
      instancesByRegion: ({ region, status }) => (status === "INACTIVE" ? [] : [region]),
      /** `all` → instances that are recorded as connected. */
      connectedInstances: ({ agentConnected }) => (agentConnected ? ["all"] : []),
    },
    {
      counts: {
        /** clusterKey → its container instances that are not INACTIVE. */
        instanceCounts: (instance) =>
          instance.status === "INACTIVE" ? [] : [clusterKey(instance, instance.clusterName)],
      },
    },
  ),
};

import type { IndexDefinitions } from "../../store/cache.ts";
import type { Instance } from "../model/instance.ts";
import { ecsKind, instanceKey } from "../model/keys.ts";
import type { Task } from "../model/task.ts";

/** The cache's indexes over the orchestrator's records. Values: keys of other records, or ids. */
export const ecsIndexes: IndexDefinitions = {
  /** instanceKey → its tasks, whatever their status. */
  tasksByInstance: (key, value) => {
    if (ecsKind(key) !== "tasks") return [];
    const { instance } = (value as Task).placement;
    return [instanceKey(instance, instance.clusterName, instance.id)];
  },
  /** `<region>/<ec2InstanceId>` → tasks that still take resources of that machine (not STOPPED). */
  tasksByHost: (key, value) => {
    if (ecsKind(key) !== "tasks") return [];
    const task = value as Task;
    return task.lastStatus === "STOPPED" ? [] : [`${task.region}/${task.placement.ec2InstanceId}`];
  },
  /** `<region>/<ec2InstanceId>` → its container instances that are not INACTIVE. */
  instancesByHost: (key, value) => {
    if (ecsKind(key) !== "instances") return [];
    const instance = value as Instance;
    return instance.status === "INACTIVE" ? [] : [`${instance.region}/${instance.ec2InstanceId}`];
  },
  /** `all` → tasks whose next step is control/network-interfaces's. */
  tasksAwaitingNetwork: (key, value) => {
    if (ecsKind(key) !== "tasks") return [];
    const { lastStatus } = value as Task;
    return lastStatus === "PROVISIONING" || lastStatus === "DEPROVISIONING" ? ["all"] : [];
  },
  /** `all` → instances that are recorded as connected. */
  connectedInstances: (key, value) =>
    ecsKind(key) === "instances" && (value as Instance).agentConnected ? ["all"] : [],
};

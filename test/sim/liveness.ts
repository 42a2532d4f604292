import type { NetworkInterface } from "../../src/ec2/model.ts";
import type { Instance } from "../../src/ecs/model/instance.ts";
import type { Task } from "../../src/ecs/model/task.ts";
import { HEALTH_AT_REST, IMAGES } from "./definitions.ts";
import type { SimMachine } from "./machine.ts";
import type { MemoryLogs } from "./memory-log-store.ts";
import { findUnshipped } from "./output-check.ts";
import type { SafetyChecker } from "./safety.ts";

/** A difference between what the records want and what the machines have: what, and which invariant it breaks. */
export interface Unrest {
  readonly invariant: "L1" | "L2" | "L3" | "L5" | "L6" | "S9";
  readonly what: string;
}

/** The first thing that is not yet as it should be; undefined when all is at rest. Pure. */
export async function findUnrest(
  records: SafetyChecker,
  machines: readonly SimMachine[],
  logs: MemoryLogs,
): Promise<Unrest | undefined> {
  const tasks = records.list<Task>("tasks");
  const wanted = new Map(tasks.filter(isWanted).map((task) => [task.id, task]));
  return (
    unsettledInstance(records, machines) ??
    unsettledTask(tasks) ??
    (await misplacedContainer(wanted, machines)) ??
    restlessContainer(machines) ??
    (await misplacedDisk(wanted, machines)) ??
    misplacedNamespace(wanted, machines) ??
    misplacedOnBridge(wanted, machines) ??
    strayInterface(records, wanted) ??
    unfollowedFeed(records, machines) ??
    forgottenRecord(wanted, machines) ??
    untrueHealth(wanted) ??
    untrueRecord(tasks, machines) ??
    unshippedOutput(records, machines, logs)
  );
}

function isWanted(task: Task): boolean {
  return task.desiredStatus === "RUNNING";
}

/** Every machine has both its registrations, connected. */
function unsettledInstance(
  records: SafetyChecker,
  machines: readonly SimMachine[],
): Unrest | undefined {
  const instances = records
    .list<Instance>("instances")
    .filter(({ status }) => status !== "INACTIVE");
  const away = instances.find(({ agentConnected }) => !agentConnected);
  if (away) return { invariant: "L1", what: `instance ${away.id} is not connected` };
  const odd = machines.find(
    ({ id }) => instances.filter(({ ec2InstanceId }) => ec2InstanceId === id).length !== 2,
  );
  return odd && { invariant: "L1", what: `${odd.id} does not have two registrations` };
}

function unsettledTask(tasks: readonly Task[]): Unrest | undefined {
  const task = tasks.find(
    (task) =>
      task.lastStatus !== task.desiredStatus ||
      (endsByItself(task) && task.lastStatus !== "STOPPED"),
  );
  if (task === undefined) return undefined;
  const { id, lastStatus, desiredStatus } = task;
  return {
    invariant: "L1",
    what: `task ${id} is ${lastStatus} and should ${desiredStatus === "STOPPED" ? "have stopped" : "run to its end"}`,
  };
}

/** Only tasks that end by themselves are told how. */
function endsByItself({ containers, overrides }: Task): boolean {
  return (
    overrides.containerOverrides.length > 0 || containers.some(({ image }) => image === "hungry")
  );
}

/** Every container that should run runs, on its task's machine only, and no other is left. */
async function misplacedContainer(
  wanted: ReadonlyMap<string, Task>,
  machines: readonly SimMachine[],
): Promise<Unrest | undefined> {
  const missing = new Set<string>(
    [...wanted.values()].flatMap(({ containers, id, placement }) =>
      containers
        .filter(({ lastStatus }) => lastStatus === "RUNNING")
        .map(({ name }) => `${placement.ec2InstanceId} ${id}-${name}`),
    ),
  );
  for (const machine of machines) {
    for (const { id, status } of await machine.runtime.list()) {
      if (status === "running" && missing.delete(`${machine.id} ${id}`)) continue;
      if (machine.runtime.holders.has(id) && wanted.has(id.replace(/\.pause$/, ""))) continue;
      return { invariant: "L2", what: `container ${id} on ${machine.id} is ${status} for nobody` };
    }
  }
  const [left] = missing.keys();
  return left === undefined ? undefined : { invariant: "L1", what: `container ${left} is missing` };
}

/** One that will end by itself once more, and be started again. */
function restlessContainer(machines: readonly SimMachine[]): Unrest | undefined {
  for (const { runtime } of machines) {
    for (const [id, { image }] of runtime.containers) {
      const { exitsMax } = IMAGES[image] ?? {};
      if (exitsMax === undefined || (runtime.starts.get(id) ?? 0) > exitsMax) continue;
      return { invariant: "L1", what: `container ${id} has yet to end and start again` };
    }
  }
  return undefined;
}

/** FARGATE tasks have a disk on their machine, and nobody else has. */
async function misplacedDisk(
  wanted: ReadonlyMap<string, Task>,
  machines: readonly SimMachine[],
): Promise<Unrest | undefined> {
  const missing = new Set(
    [...wanted.values()]
      .filter(({ launchType }) => launchType === "FARGATE")
      .map(({ id, placement }) => `${placement.ec2InstanceId} ${id}`),
  );
  for (const { id, runtime } of machines) {
    for (const { taskId } of await runtime.listTaskStorage()) {
      if (missing.delete(`${id} ${taskId}`)) continue;
      return { invariant: "L2", what: `task ${taskId} has a disk on ${id} for nothing` };
    }
  }
  const [left] = missing;
  return left === undefined ? undefined : { invariant: "L1", what: `task ${left} has no disk` };
}

function misplacedNamespace(
  wanted: ReadonlyMap<string, Task>,
  machines: readonly SimMachine[],
): Unrest | undefined {
  for (const { id: machineId, kernel } of machines) {
    for (const [taskId, interfaceId] of kernel.namespaces) {
      const task = wanted.get(taskId);
      const isRight =
        task?.placement.ec2InstanceId === machineId &&
        task.attachment?.networkInterfaceId === interfaceId;
      if (isRight) continue;
      return {
        invariant: "L3",
        what: `task ${taskId} has a namespace on ${machineId} for nothing`,
      };
    }
  }
  const lost = [...wanted.values()].find((task) => {
    const machine = machines.find(({ id }) => id === task.placement.ec2InstanceId);
    const hasOne = task.networkMode === "awsvpc" || task.networkMode === "none";
    return hasOne && machine?.kernel.namespaces.has(task.id) !== true;
  });
  return lost && { invariant: "L1", what: `task ${lost.id} runs without a network` };
}

/** The bridge of a machine holds the containers that run there, with the ports that are on record, and no others. */
function misplacedOnBridge(
  wanted: ReadonlyMap<string, Task>,
  machines: readonly SimMachine[],
): Unrest | undefined {
  const missing = new Map<string, readonly number[]>();
  for (const { containers, id, networkMode, placement } of wanted.values()) {
    if (networkMode !== "bridge") continue;
    for (const { lastStatus, name, networkBindings } of containers)
      if (lastStatus === "RUNNING")
        missing.set(`${placement.ec2InstanceId} ${id}-${name}`, hostPortsOf(networkBindings));
  }
  for (const { id: machineId, kernel } of machines) {
    for (const [containerId, { bindings }] of kernel.bridged) {
      const key = `${machineId} ${containerId}`;
      const known = missing.get(key);
      missing.delete(key);
      if (known === undefined) {
        return {
          invariant: "L3",
          what: `${containerId} is on the bridge of ${machineId} for nothing`,
        };
      }
      const has = bindings.map(({ hostPorts }) => hostPorts.first);
      if (known.join() !== has.join()) {
        return { invariant: "L1", what: `${containerId} has ports ${has}, on record are ${known}` };
      }
    }
  }
  const [left] = missing.keys();
  return left === undefined
    ? undefined
    : { invariant: "L1", what: `container ${left} is not on the bridge` };
}

function hostPortsOf(bindings: Task["containers"][number]["networkBindings"]): readonly number[] {
  return bindings.map(
    ({ hostPort, hostPortRange }) => hostPort ?? Number.parseInt(hostPortRange ?? "", 10),
  );
}

function strayInterface(
  records: SafetyChecker,
  wanted: ReadonlyMap<string, Task>,
): Unrest | undefined {
  const unconfirmed = records.count("unconfirmed-stops");
  if (unconfirmed > 0) {
    return {
      invariant: "L3",
      what: `${unconfirmed} tasks of lost machines are not confirmed to have ended`,
    };
  }
  const held = [...wanted.values()].filter(({ attachment }) => attachment !== undefined).length;
  const interfaces = records.count("network-interfaces");
  const addresses = records.count("addresses");
  if (interfaces === held && addresses === held) return undefined;
  const what = `${held} tasks have ${interfaces} interfaces and ${addresses} addresses`;
  return { invariant: "L3", what };
}

function unfollowedFeed(
  records: SafetyChecker,
  machines: readonly SimMachine[],
): Unrest | undefined {
  const all = records.list<NetworkInterface>("network-interfaces");
  const idsOf = (enis: readonly NetworkInterface[]): string =>
    enis
      .map(({ interfaceId }) => interfaceId)
      .toSorted()
      .join();
  for (const { id, kernel } of machines) {
    const lists = [
      ["", all.filter(({ ec2InstanceId }) => ec2InstanceId === id), kernel.interfaces],
      [
        " elsewhere",
        all.filter(({ ec2InstanceId }) => ec2InstanceId !== id),
        kernel.remoteInterfaces,
      ],
    ] as const;
    for (const [where, told, made] of lists) {
      if (idsOf(told) === [...made].toSorted().join()) continue;
      const what = `${id} has interfaces${where} ${[...made].join()} and should have ${idsOf(told)}`;
      return { invariant: "L3", what };
    }
  }
  return undefined;
}

/** Every line that a container wrote is in its log stream, once and in order. */
function unshippedOutput(
  records: SafetyChecker,
  machines: readonly SimMachine[],
  logs: MemoryLogs,
): Unrest | undefined {
  const what = findUnshipped(records, machines, logs);
  return what === undefined ? undefined : { invariant: "L5", what };
}

/** What a check finds in a container that has run for some minutes is on record; without a check, nothing is. */
function untrueHealth(wanted: ReadonlyMap<string, Task>): Unrest | undefined {
  for (const { containers, family, id } of wanted.values()) {
    for (const { healthStatus, image, lastStatus, name } of containers) {
      const found = family === "healthy" ? HEALTH_AT_REST.get(image) : undefined;
      if (lastStatus !== "RUNNING" || healthStatus === found) continue;
      const what = `container ${name} of task ${id} is ${healthStatus} on record, ${found} in truth`;
      return { invariant: "L6", what };
    }
  }
  return undefined;
}

/** Exit codes and reasons are those of the processes. */
function untrueRecord(tasks: readonly Task[], machines: readonly SimMachine[]): Unrest | undefined {
  const histories = new Map(machines.map(({ history, id }) => [id, history]));
  for (const task of tasks) {
    const history = histories.get(task.placement.ec2InstanceId);
    const lies = task.containers.map((container) => history?.findLie(task, container));
    const what = lies.find((lie) => lie !== undefined);
    if (what !== undefined) return { invariant: "S9", what };
  }
  return undefined;
}

/** What an agent remembers is what it still has to do: no record of a task, and no file, outlives its end. */
function forgottenRecord(
  wanted: ReadonlyMap<string, Task>,
  machines: readonly SimMachine[],
): Unrest | undefined {
  for (const { id, disk, process } of machines) {
    const arns = (process?.agents ?? []).flatMap((agent) =>
      agent.tasks().map(({ task }) => task.arn),
    );
    const left = arns.find((arn) => !wanted.has(arn.slice(arn.lastIndexOf("/") + 1)));
    if (left !== undefined) return { invariant: "L2", what: `${id} still works on ${left}` };
    const file = disk.files.find((path) => !wanted.has(path.split("/")[4] ?? ""));
    if (file !== undefined) return { invariant: "L2", what: `${id} still keeps ${file}` };
  }
  return undefined;
}

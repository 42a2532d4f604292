import {
  type BridgeAttachment,
  type Dataplane,
  PortUnavailableError,
} from "../../dataplane/dataplane.ts";
import { messageOf, UnavailableError } from "../../lib/errors.ts";
import type { ContainerNetwork } from "../../runtime/runtime.ts";
import { containerIdOf } from "../container-spec.ts";
import { decodeDockerSettings } from "../docker-settings.ts";
import {
  type NetworkBinding,
  networkBindingsOf,
  portMapsAgain,
  portMapsOf,
} from "../network-bindings.ts";
import { TaskFailure } from "../task-failure.ts";
import {
  type AssignedTask,
  definitionOf,
  networkModeOf,
  type TaskRecord,
  taskIdOf,
} from "../task-record.ts";

/** One wait for the node's feed to bring the interface. Short, so that a task that is stopped meanwhile goes on to stop. */
const ATTACH_WAIT_MS = 2_000;

/** What all containers of a task share; or `bridge`, where each has a place of its own by {@link bridgeUp}. */
export type TaskNetwork = ContainerNetwork | { readonly mode: "bridge" };

/** A container's place on the node's bridge network. */
export interface BridgePlace {
  readonly network: ContainerNetwork;
  readonly address: string;
  readonly networkBindings: readonly NetworkBinding[];
}

/** A network while it is made. What rejects, rejects with UnavailableError: trying again may help. */
export interface NetworkInTheMaking {
  readonly network: TaskNetwork;
  /** From then on containers' processes can be made in it. */
  readonly there: Promise<void>;
  /** From then on they may run. */
  readonly complete: Promise<void>;
}

/** A network that was made before. */
export function completeNetwork(network: TaskNetwork): NetworkInTheMaking {
  return { network, there: Promise.resolve(), complete: Promise.resolve() };
}

/** Joins the task to its network. Throws DataplaneError while the network is not there yet: trying again may help. */
export async function networkUp(dataplane: Dataplane, task: AssignedTask): Promise<TaskNetwork> {
  const taskId = taskIdOf(task.arn);
  switch (networkModeOf(task)) {
    case "host":
      return { mode: "host" };
    case "bridge":
      return { mode: "bridge" };
    case "none":
      return { mode: "namespace", path: await dataplane.isolate(taskId) };
    case "awsvpc":
      return { mode: "namespace", path: await attach(dataplane, task, taskId) };
    default:
      throw new TaskFailure(
        `ResourceInitializationError: network mode ${task.networkMode} is not known to this agent`,
      );
  }
}

/** As {@link networkUp}, without waiting for what containers can be made without: an interface in their namespace. */
export async function networkBegin(
  dataplane: Dataplane,
  task: AssignedTask,
): Promise<NetworkInTheMaking> {
  if (networkModeOf(task) !== "awsvpc" || hasNetworkSysctls(task)) {
    return completeNetwork(await networkUp(dataplane, task));
  }
  const taskId = taskIdOf(task.arn);
  const there = asUnavailable(dataplane.begin(taskId));
  const attached = asUnavailable(attach(dataplane, task, taskId));
  const complete = Promise.all([there, attached]).then(() => undefined);
  // Whoever asks is told, and nobody has to.
  for (const each of [there, complete]) each.catch(() => undefined);
  return {
    network: { mode: "namespace", path: dataplane.namespacePath(taskId) },
    there,
    complete,
  };
}

/** Nothing is wrong with the container that is being made meanwhile. */
function asUnavailable<T>(work: Promise<T>): Promise<T> {
  return work.catch((cause: unknown) => {
    throw cause instanceof TaskFailure ? cause : new UnavailableError(messageOf(cause), { cause });
  });
}

/** The engine sets them when a container is made, and some mean an interface that is there. */
function hasNetworkSysctls({ containers }: AssignedTask): boolean {
  return containers.some(({ dockerConfig }) => {
    const { Sysctls = {} } = decodeDockerSettings(dockerConfig).hostConfig;
    return Object.keys(Sysctls).some((name) => name.startsWith("net."));
  });
}

async function attach(dataplane: Dataplane, task: AssignedTask, taskId: string): Promise<string> {
  const eni = task.elasticNetworkInterfaces?.[0];
  if (eni === undefined) {
    throw new TaskFailure("ResourceInitializationError: the task has no network interface");
  }
  return dataplane.attach(taskId, eni.ec2Id, ATTACH_WAIT_MS);
}

/** Takes the task off its network. On the bridge, each of its containers has been taken off by itself. */
export async function networkDown(dataplane: Dataplane, task: AssignedTask): Promise<void> {
  const mode = networkModeOf(task);
  if (mode === "awsvpc" || mode === "none") await dataplane.detach(taskIdOf(task.arn));
}

/**
 * Gives a container its place on the node's bridge network: one that has run has its ports again, also after the machine was
 * restarted. Throws TaskFailure when a port of the machine cannot be had.
 */
export async function bridgeUp(
  dataplane: Dataplane,
  record: TaskRecord,
  name: string,
): Promise<BridgePlace> {
  const { address, bindings, path } = await bind(dataplane, record, name);
  return {
    network: { mode: "namespace", path },
    address,
    networkBindings: networkBindingsOf(bindings),
  };
}

async function bind(
  dataplane: Dataplane,
  record: TaskRecord,
  name: string,
): Promise<BridgeAttachment> {
  const known = record.containers.find((container) => container.name === name);
  const given = known?.status === "RUNNING" ? known.networkBindings : undefined;
  try {
    const maps = given
      ? portMapsAgain(given)
      : portMapsOf(definitionOf(record, name)?.portMappings ?? []);
    return await dataplane.attachBridge(containerIdOf(record.task.arn, name), maps);
  } catch (error) {
    if (!(error instanceof PortUnavailableError || error instanceof RangeError)) throw error;
    throw new TaskFailure(`CannotStartContainerError: ${error.message}`, name);
  }
}

/** Takes a container off the bridge network; one that never was on it is a success. */
export async function bridgeDown(
  dataplane: Dataplane,
  task: AssignedTask,
  name: string,
): Promise<void> {
  if (networkModeOf(task) === "bridge") {
    await dataplane.detachBridge(containerIdOf(task.arn, name));
  }
}

import { messageOf } from "../../lib/errors.ts";
import { isNoSpace } from "../../lib/no-space.ts";
import {
  type ContainerNetwork,
  type ContainerSpec,
  type ExitState,
  type Image,
  ProcessError,
  type Runtime,
  RuntimeError,
} from "../../runtime/runtime.ts";
import type { AgentConfig } from "../agent-deps.ts";
import { containerIdOf, containerSpec, givenEnvironment } from "../container-spec.ts";
import type { Disk } from "../disk.ts";
import type { EndpointIds } from "../endpoints/container-ids.ts";
import { endpointEnvironment } from "../endpoints/environment.ts";
import { type Link, linkEnvironment } from "../links.ts";
import { TaskFailure } from "../task-failure.ts";
import { hostnameOf, outputPath, writeContainerFiles } from "../task-files.ts";
import type { AssignedTask, ContainerRecord } from "../task-record.ts";
import { volumeMounts } from "../volumes.ts";
import { makeVolumes } from "./volumes.ts";

export interface ContainersDeps {
  readonly runtime: Runtime;
  readonly config: AgentConfig;
  readonly disk: Disk;
  readonly directory: string;
  /** Of the volumes that all tasks of this machine share. */
  readonly volumesDirectory: string;
  readonly endpointIds: EndpointIds;
}

/** What must be there before a container is made. */
export interface Prepared {
  readonly image: Image;
  readonly network: ContainerNetwork;
  /** As of {@link NetworkInTheMaking}. */
  readonly networkThere: Promise<void>;
  readonly networkComplete: Promise<void>;
  /** Of the container itself, on the bridge network. */
  readonly address: string | undefined;
  readonly links: readonly Link[];
  /** What the images of the task's containers declare as volumes, of this one and of those that have started. */
  readonly imageVolumes: (name: string) => readonly string[];
  /** Directory of the task's own disk, if it has one. */
  readonly taskStorage: string | undefined;
  /** Of the task's role, if it has one. */
  readonly credentialsId: string | undefined;
  /** Variables whose values were fetched. */
  readonly secrets: Readonly<Record<string, string>>;
}

/** Creates and starts one container. Throws TaskFailure with the runtime's reason, and what the network rejects with. */
export async function containerUp(
  deps: ContainersDeps,
  task: AssignedTask,
  name: string,
  prepared: Prepared,
): Promise<void> {
  const spec = await failAs("CannotCreateContainerError", name, async () => {
    const made = await prepare(deps, task, name, prepared);
    await deps.runtime.create(made, prepared.networkThere);
    return made;
  });
  await prepared.networkComplete;
  await failAs("CannotStartContainerError", name, () => deps.runtime.start(spec.id));
}

/** Starts one container again that has ended. Throws TaskFailure with the runtime's reason. */
export async function containerRestart(
  { runtime }: ContainersDeps,
  task: AssignedTask,
  name: string,
  after: ExitState,
): Promise<void> {
  const id = containerIdOf(task.arn, name);
  await failAs("CannotStartContainerError", name, () => runtime.restart(id, after));
}

async function prepare(
  deps: ContainersDeps,
  task: AssignedTask,
  name: string,
  prepared: Prepared,
): Promise<ContainerSpec> {
  const found = task.containers.find((container) => container.name === name);
  if (found === undefined) throw new RuntimeError(`no container ${name} in the task`);
  // To the process a secret is a variable like any other.
  const definition = { ...found, environment: { ...found.environment, ...prepared.secrets } };
  const files = await writeContainerFiles(deps, task, name, prepared);
  const output = outputPath(deps.directory, task.arn, name);
  await (await deps.disk.openOutput(output))[Symbol.asyncDispose]();
  const { taskStorage } = prepared;
  const places = { ...deps, taskStorage };
  const volumes = volumeMounts(task, definition, places, prepared.imageVolumes);
  await makeVolumes(deps.disk, volumes);
  const endpoints = endpointEnvironment(deps.config, {
    endpointId: deps.endpointIds.idOf(task.arn, name),
    credentialsId: prepared.credentialsId,
    given: givenEnvironment(definition, prepared.image),
  });
  const spec = containerSpec(task, definition, prepared.image, {
    agentLabel: deps.config.label,
    cluster: deps.config.cluster,
    runtime: deps.config.runtime,
    network: prepared.network,
    endpoints,
    hostname: hostnameOf(task, name),
    linkEnvironment: linkEnvironment(name, prepared.links),
    mounts: [
      ...files,
      ...endpoints.mounts,
      ...volumes.map(({ source, target, readonly, copyUp = false }) => ({
        source,
        target,
        readonly,
        copyUp,
      })),
    ],
    outputPath: output,
    taskStorage,
  });
  return spec;
}

/** Asks a container to end, in its image's way. */
export async function containerStop(
  { runtime }: ContainersDeps,
  task: AssignedTask,
  container: ContainerRecord,
): Promise<void> {
  const id = containerIdOf(task.arn, container.name);
  await runtime.signal(id, container.stopSignal ?? "SIGTERM");
}

/** Ends a container that did not end by itself. */
export async function containerKill(
  { runtime }: ContainersDeps,
  task: AssignedTask,
  name: string,
): Promise<void> {
  await runtime.signal(containerIdOf(task.arn, name), "SIGKILL");
}

/** Removes a container from the runtime; on return all of its output is in its file. */
export async function containerDown(
  { runtime }: ContainersDeps,
  task: AssignedTask,
  name: string,
): Promise<void> {
  await runtime.remove(containerIdOf(task.arn, name));
}

/** Docker's and the kernel's words; whose path it was says nothing to the author of a task definition. */
const NO_SPACE = "no space left on device";

async function failAs<T>(errorName: string, container: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RuntimeError) {
      const name = error instanceof ProcessError ? "CannotStartContainerError" : errorName;
      throw new TaskFailure(`${name}: ${messageOf(error)}`, container);
    }
    if (!isNoSpace(error)) throw error;
    throw new TaskFailure(`${errorName}: ${NO_SPACE}`, container);
  }
}

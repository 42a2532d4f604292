import { dirname, join } from "node:path";
import { UnavailableError } from "../lib/errors.ts";
import { clearCgroup, createTaskCgroup, removeCgroup } from "./cgroups.ts";
import { type Containerd, SNAPSHOTTER } from "./containerd/client.ts";
import type { Container, Mount } from "./containerd/messages.ts";
import { detailsOf, isCode, Status, tolerating } from "./containerd/status.ts";
import { copyUp } from "./copy-up.ts";
import { lookUpDevices } from "./device-mappings.ts";
import {
  asRuntimeError,
  deleteTask,
  type Engine,
  frameOf,
  holderShmPath,
  kill,
  type ProcessFrame,
  recordLabels,
  SIGKILL,
  TASK_LABEL,
  taskCgroup,
} from "./engine.ts";
import { makeProcess } from "./make-process.ts";
import { makeNamedPipe } from "./named-pipe.ts";
import { buildOciSpec, type HolderPlace } from "./oci-spec.ts";
import { makeOutput, outputsOf, readStreams } from "./output-streams.ts";
import { type ContainerSpec, ProcessError, RuntimeError } from "./runtime.ts";
import { runtimeOf } from "./runtime-choice.ts";
import { createLayer, layerMounts, removeLayer } from "./task-layers.ts";
import { resolveUser } from "./users.ts";

const SPEC_TYPE_URL = "types.containerd.io/opencontainers/runtime-spec/1/Spec";
const KILL_MS_MAX = 30_000;
const HOLDER_GONE = "what held the namespaces of the task has ended";

/** See `Runtime.create`. */
export async function createContainer(
  engine: Engine,
  spec: ContainerSpec,
  network: Promise<void> = Promise.resolve(),
): Promise<void> {
  const { containerd, exits, changing, options, turns } = engine;
  await turns.take(spec.taskId, async () => {
    if (await exits.get(spec.id)) return;
    changing.add(spec.id);
    try {
      // The usual case, without looking what an earlier attempt may have left.
      if (await createLocked(engine, spec, network)) return;
      if (await isStarted(containerd, spec.id)) return;
      await removeLocked(engine, spec.id, spec);
      if (!(await createLocked(engine, spec, network))) {
        throw new UnavailableError(`the container ${spec.id} is being made by somebody else`);
      }
    } catch (error) {
      await clearAway(engine, spec).catch((cause) =>
        options.log.warn("cannot clear away a container that failed", {
          id: spec.id,
          error: String(cause),
        }),
      );
      throw asRuntimeError(error);
    } finally {
      changing.delete(spec.id);
    }
  });
}

/** One that was made and not started may be what a killed program left half-made, without anyone to take its output. */
async function isStarted(containerd: Containerd, id: string): Promise<boolean> {
  const status = (await containerd.tasks.get(id))?.status;
  return status !== undefined && status !== "CREATED";
}

/** Removes what was made of a container, but not one that an earlier attempt has brought to run. */
async function clearAway(engine: Engine, spec: ContainerSpec): Promise<void> {
  if (await isStarted(engine.containerd, spec.id)) return;
  await removeLocked(engine, spec.id, spec);
}

/**
 * Leaves nothing to collect when it succeeds; when it fails, {@link removeLocked} removes what it made. False: something of
 * that name is there already. A container of which anything is left has its snapshot or its record, see {@link removeLocked}.
 */
async function createLocked(
  engine: Engine,
  spec: ContainerSpec,
  network: Promise<void>,
): Promise<boolean> {
  const { containerd, options, host } = engine;
  const prepared = await prepareRootfs(engine, spec);
  if (prepared === undefined) return false;
  const { parent, rootfs } = prepared;
  await fillVolumes(engine, spec, rootfs);
  const { passwd, group } = await engine.accounts.of(parent, rootfs);
  const user = await ofProcess(() => resolveUser(spec.user, passwd, group));
  const cgroupsPath = `${taskCgroup(options, spec.taskId)}/${spec.id}`;
  const devices = await ofProcess(() => lookUpDevices(spec.devices));
  const holder = await findHolder(engine, spec);
  const oci = buildOciSpec({ container: spec, user, host, devices, holder, cgroupsPath });
  const { outputPath, outputWaits, terminal, taskLimits, taskStorage } = spec;
  const stdinPath = spec.stdinOpen ? join(dirname(outputPath), `${spec.id}.stdin`) : undefined;
  const frame: ProcessFrame = {
    ...{ outputPath, outputWaits, terminal, taskLimits, taskStorage, stdinPath, holder },
    runtime: spec.runtime,
  };
  const record: Container = {
    id: spec.id,
    labels: recordLabels(spec.labels, spec.taskId, frame),
    image: spec.image,
    runtime: runtimeOf(spec.runtime),
    spec: { type_url: SPEC_TYPE_URL, value: Buffer.from(JSON.stringify(oci)) },
    snapshotter: SNAPSHOTTER,
    snapshotKey: spec.id,
  };
  if (!(await isNew(containerd.containers.create(record)))) return false;
  await network;
  const { id, taskId } = spec;
  await ofProcess(() => createProcess(engine, { id, taskId, rootfs, frame }));
  return true;
}

/** What it throws is a failure of the process. Throws ProcessError, and UnavailableError as it is. */
async function ofProcess<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const error = asRuntimeError(thrown);
    throw error instanceof RuntimeError
      ? new ProcessError(error.message, { cause: thrown })
      : error;
  }
}

/** Whose namespaces the container joins, by the process that keeps them. */
async function findHolder(
  { containerd, options }: Engine,
  { ipcNamespace, pidNamespace }: ContainerSpec,
): Promise<(HolderPlace & { readonly id: string }) | undefined> {
  const shared = [ipcNamespace, pidNamespace].find((choice) => typeof choice === "object");
  if (shared === undefined) return undefined;
  const process = await containerd.tasks.get(shared.holder);
  if (process?.status !== "RUNNING") throw new RuntimeError(HOLDER_GONE);
  const shmPath = holderShmPath(options, shared.holder);
  return { id: shared.holder, pid: process.pid, shmPath };
}

/** Makes a container's first process, without running it: its output's file, its task's control group, then the process. */
export async function createProcess(
  engine: Engine,
  made: {
    readonly id: string;
    readonly taskId: string;
    readonly rootfs: readonly Mount[];
    readonly frame: ProcessFrame;
  },
): Promise<void> {
  const { cgroups, containerd, options, starts, taskIds } = engine;
  const { id, taskId, rootfs, frame } = made;
  const { holder, stdinPath, terminal } = frame;
  // The number may be another process's by now, and so would the namespaces be.
  if (holder && (await containerd.tasks.get(holder.id))?.pid !== holder.pid) {
    throw new RuntimeError(HOLDER_GONE);
  }
  taskIds.set(id, taskId);
  const [group] = await Promise.all([
    createTaskCgroup(cgroups, taskCgroup(options, taskId), frame.taskLimits),
    makeOutput(frame),
  ]);
  if (stdinPath !== undefined) await makeNamedPipe(stdinPath);
  const stdin = stdinPath === undefined ? {} : { stdin: stdinPath };
  const process = { containerId: id, rootfs, ...stdin, ...outputsOf(frame), terminal };
  const pid = await starts.use(() => makeProcess(engine, frame.runtime ?? "runc", process));
  const streams = terminal ? undefined : await readStreams(pid);
  if (streams !== undefined) engine.streams.set(id, streams);
  // Whoever is killed before this has made a process that is not started, and will be made anew.
  await group.limitCpu();
}

/** One volume after the other, and each for one container at a time: it is the first that fills it. */
async function fillVolumes(
  { options, turns }: Engine,
  { mounts }: ContainerSpec,
  rootfs: readonly Mount[],
): Promise<void> {
  for (const mount of mounts.filter((candidate) => candidate.copyUp)) {
    await turns.take(`volume ${mount.source}`, () => copyUp(rootfs, mount, options.stateDirectory));
  }
}

function noSuchImage({ image }: ContainerSpec): RuntimeError {
  return new RuntimeError(`no such image: ${image}`);
}

/** Undefined: the container has a snapshot already. */
async function prepareRootfs(
  engine: Engine,
  spec: ContainerSpec,
): Promise<{ readonly parent: string; readonly rootfs: readonly Mount[] } | undefined> {
  const { containerd, images, options } = engine;
  const { image, imageDigest, taskStorage } = spec;
  const parent = image === "" ? "" : await images.findRootfs(image, imageDigest);
  if (parent === undefined) throw noSuchImage(spec);
  // A root of its own for the garbage collector: the record that will point at the snapshot is not there yet.
  const labels = { "containerd.io/gc.root": new Date(options.clock.now()).toISOString() };
  const mounts = await tolerating(
    [Status.ALREADY_EXISTS],
    containerd.snapshots.prepare(spec.id, parent, labels).catch((error: unknown) => {
      // Removed since it was found.
      throw isCode(error, Status.NOT_FOUND) ? noSuchImage(spec) : error;
    }),
  );
  if (mounts === undefined) return undefined;
  if (taskStorage === undefined) return { parent, rootfs: mounts };
  await createLayer(taskStorage, spec.id, mounts);
  return { parent, rootfs: layerMounts(taskStorage, spec.id, mounts) };
}

/** Whether the call made something that was not there. */
async function isNew(call: Promise<void>): Promise<boolean> {
  return (
    (await tolerating(
      [Status.ALREADY_EXISTS],
      call.then(() => true),
    )) ?? false
  );
}

/** See `Runtime.remove`. */
export async function removeContainer(engine: Engine, id: string): Promise<void> {
  const { containerd, changing, turns } = engine;
  const record = await containerd.containers.get(id);
  const taskId = record?.labels[TASK_LABEL];
  const taskStorage = record && frameOf(record)?.taskStorage;
  await turns.take(taskId ?? id, async () => {
    changing.add(id);
    try {
      await removeLocked(engine, id, { taskId, taskStorage });
    } catch (error) {
      throw asRuntimeError(error);
    } finally {
      changing.delete(id);
    }
  });
}

/** The record goes last, as it comes before the process: what is interrupted can be found and done again. */
async function removeLocked(
  engine: Engine,
  id: string,
  {
    taskId,
    taskStorage,
  }: { readonly taskId?: string | undefined; readonly taskStorage?: string | undefined },
): Promise<void> {
  const { containerd, exits, cgroups, options } = engine;
  if ((await containerd.tasks.get(id)) !== undefined) {
    await kill(containerd, id, SIGKILL, true);
    const exited = containerd.tasks.wait(id, { deadlineMs: KILL_MS_MAX });
    await tolerating([Status.NOT_FOUND], exited);
    await deleteTask(containerd, id);
  } else {
    // A shim in which a killed containerd has made nothing yet is known to the next one all the same, and ends by this.
    await deleteTask(containerd, id).catch((error: unknown) =>
      options.log.debug("no shim to end", { id, error: detailsOf(error) }),
    );
  }
  await engine.outputs.finish(id);
  const parent = taskId === undefined ? undefined : taskCgroup(options, taskId);
  if (parent !== undefined) await clearCgroup(cgroups, `${parent}/${id}`, options.clock);
  await containerd.snapshots.remove(id);
  if (taskStorage !== undefined) await removeLayer(taskStorage, id);
  if (parent !== undefined) await removeCgroup(cgroups, parent);
  await exits.delete(id);
  await containerd.containers.delete(id);
  engine.taskIds.delete(id);
  engine.streams.delete(id);
}

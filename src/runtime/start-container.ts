import { createProcess } from "./create-container.ts";
import { asRuntimeError, deleteTask, type Engine, frameOf, TASK_LABEL } from "./engine.ts";
import { type OutputStreams, readStreams } from "./output-streams.ts";
import { type ExitState, RuntimeError } from "./runtime.ts";
import { layerMounts, requireLayer } from "./task-layers.ts";

/** See `Runtime.start`. */
export async function startContainer(engine: Engine, id: string): Promise<void> {
  const { containerd, exits, starts, streams } = engine;
  try {
    await exits.putStarted(id, await streamsOf(engine, id));
    streams.delete(id);
    await starts.use(() => containerd.tasks.start(id));
  } catch (error) {
    const status = (await containerd.tasks.get(id))?.status ?? (await exits.get(id));
    if (status === undefined) await exits.delete(id);
    if (status === undefined || status === "CREATED") throw asRuntimeError(error);
  }
}

/** Known but where a program before this one made the container. */
async function streamsOf(
  { containerd, streams }: Engine,
  id: string,
): Promise<OutputStreams | undefined> {
  const known = streams.get(id);
  if (known !== undefined) return known;
  const process = await containerd.tasks.get(id);
  return process?.status === "CREATED" ? readStreams(process.pid) : undefined;
}

/**
 * See `Runtime.restart`. The exit record goes when the new process is there: whoever is killed in between finds either an
 * ended container or one that is created, and can do the rest.
 */
export async function restartContainer(
  engine: Engine,
  id: string,
  after: ExitState,
): Promise<void> {
  const { containerd, exits, turns } = engine;
  const container = await containerd.containers.get(id);
  const frame = container && frameOf(container);
  const taskId = container?.labels[TASK_LABEL];
  if (frame === undefined || taskId === undefined)
    throw new RuntimeError(`no such container: ${id}`);
  await turns.take(taskId, async () => {
    const exit = await exits.get(id);
    const isAnother = exit?.exitedAt !== after.exitedAt || exit.exitCode !== after.exitCode;
    if (exit !== undefined && isAnother) return;
    const status = (await containerd.tasks.get(id))?.status;
    if (status !== "CREATED") {
      if (exit === undefined && (status !== undefined || (await exits.wasStarted(id)))) return;
      if (status !== undefined) await deleteTask(containerd, id);
      try {
        const mounts = await containerd.snapshots.mounts(id);
        if (frame.taskStorage) requireLayer(frame.taskStorage, id);
        const rootfs = frame.taskStorage ? layerMounts(frame.taskStorage, id, mounts) : mounts;
        await createProcess(engine, { id, taskId, rootfs, frame });
      } catch (error) {
        throw asRuntimeError(error);
      }
    }
    await exits.delete(id);
    await startContainer(engine, id);
  });
}

import { type CgroupMounts, countOomKills } from "./cgroups.ts";
import {
  type Container,
  type Process,
  type ProcessExit,
  toEpochMs,
} from "./containerd/messages.ts";
import { detailsOf, Status, tolerating } from "./containerd/status.ts";
import { deleteTask, type Engine, givenLabels, SIGKILL, TASK_LABEL, taskCgroup } from "./engine.ts";
import { type ContainerState, EXIT_CODE_LOST, type ExitState, RuntimeError } from "./runtime.ts";

/** The kernel's kill shows as death by SIGKILL. */
const EXIT_CODE_KILLED = 128 + SIGKILL;
const WAIT_AGAIN_MS = 100;

/** See `Runtime.list`. */
export async function listContainers(engine: Engine): Promise<readonly ContainerState[]> {
  const { containerd, changing } = engine;
  const changed = new Set(changing);
  // In this order, one made meanwhile is missing at worst, and never seems to have lost its process.
  const containers = await containerd.containers.list();
  const processes = new Map((await containerd.tasks.list()).map((found) => [found.id, found]));
  const states = containers
    .filter(({ id }) => !changing.has(id) && !changed.has(id))
    .map(async (container): Promise<readonly ContainerState[]> => {
      const { id } = container;
      const labels = givenLabels(container);
      const process = processes.get(id);
      if (process?.status === "CREATED") return [{ id, labels, status: "created" }];
      if (process !== undefined && process.status !== "STOPPED") {
        return [{ id, labels, status: "running" }];
      }
      const exit = await settle(engine, container);
      if (exit === "removed") return [];
      if (exit === "created") return [{ id, labels, status: "created" }];
      if (exit === "running") return [{ id, labels, status: "running" }];
      return [{ id, labels, status: "stopped", exit }];
    });
  return (await Promise.all(states)).flat();
}

/** See `Runtime.wait`. */
export async function waitForExit(
  engine: Engine,
  id: string,
  abort: AbortSignal,
): Promise<ExitState> {
  const { containerd, options } = engine;
  for (;;) {
    abort.throwIfAborted();
    try {
      // First of all, because most that are waited for run. One of which nothing runs is NOT_FOUND.
      await tolerating([Status.NOT_FOUND], containerd.tasks.wait(id, { signal: abort }));
    } catch (error) {
      abort.throwIfAborted();
      // Whatever went wrong (containerd restarts, the shim died), what is true now is asked for.
      options.log.debug("waiting for a container was interrupted", { id, error: detailsOf(error) });
    }
    const container = await containerd.containers.get(id);
    const exit = container === undefined ? "removed" : await settle(engine, container);
    if (exit === "removed" || exit === "created") {
      throw new RuntimeError(`no such container: ${id}`);
    }
    if (exit !== "running") return exit;
    await options.clock.sleep(WAIT_AGAIN_MS, abort);
  }
}

/** How the container ended, writing it down if nobody has. */
function settle(
  engine: Engine,
  container: Container,
): Promise<ExitState | "created" | "running" | "removed"> {
  const { containerd, exits, options, turns } = engine;
  const { id } = container;
  const taskId = container.labels[TASK_LABEL] ?? id;
  return turns.take(taskId, async () => {
    const process = await containerd.tasks.get(id);
    if (process !== undefined && process.status !== "STOPPED") return "running";
    if ((await containerd.containers.get(id)) === undefined) return "removed";
    const known = await exits.get(id);
    // A program that was killed between the record and the process leaves this.
    if (process === undefined && known === undefined && !(await exits.wasStarted(id))) {
      return "created";
    }
    const exit = known ?? (await exitOf(engine, process, `${taskCgroup(options, taskId)}/${id}`));
    if (known === undefined) await exits.put(id, exit);
    if (process !== undefined) await deleteTask(containerd, id);
    return exit;
  });
}

async function exitOf(
  { cgroups, options }: Engine,
  process: Process | undefined,
  cgroupsPath: string,
): Promise<ExitState> {
  if (process === undefined) {
    return { exitCode: EXIT_CODE_LOST, exitedAt: options.clock.now(), oomKilled: false };
  }
  return exitStateOf(cgroups, cgroupsPath, process);
}

/** The end of a process whose control group is still there. */
export async function exitStateOf(
  cgroups: CgroupMounts,
  cgroupsPath: string,
  { exitStatus: exitCode, exitedAt }: ProcessExit,
): Promise<ExitState> {
  // runc deletes the group with the process, so its counter is still there. Unlike containerd's event it tells the
  // victim from its siblings, and waits for an agent that was away.
  const oomKilled =
    exitCode === EXIT_CODE_KILLED && (await countOomKills(cgroups, cgroupsPath)) > 0;
  return { exitCode, exitedAt: toEpochMs(exitedAt), oomKilled };
}

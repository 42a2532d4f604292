/** The pid and ipc namespaces of a task's containers: own ones, the machine's, or those that the task shares. Pure. */
import { join } from "node:path";
import type { ContainerSpec, NamespaceHolder } from "../runtime/runtime.ts";
import type { AgentConfig } from "./agent-deps.ts";
import { decodeDockerSettings } from "./docker-settings.ts";
import { taskLimitsOf } from "./task-limits.ts";
import { AGENT_LABEL, type AssignedTask, TASK_LABEL, taskIdOf } from "./task-record.ts";

/** Docker: 64 MiB. */
export const SHM_BYTES_DEFAULT: number = 64 * 2 ** 20;

type Namespaces = Pick<ContainerSpec, "pidNamespace" | "ipcNamespace">;

/** Whether containers of the task share a namespace that outlives each of them, so that something has to hold it. */
export function needsHolder({ ipcMode, pidMode }: AssignedTask): boolean {
  return pidMode === "task" || ipcMode === "task";
}

/** What each container of a task gets. */
export function namespacesOf(task: AssignedTask): Namespaces {
  const shared = { holder: holderIdOf(task) };
  return {
    pidNamespace: task.pidMode === "task" ? shared : task.pidMode === "host" ? "host" : "own",
    ipcNamespace: ipcOf(task.ipcMode, shared),
  };
}

function ipcOf(mode: string | undefined, shared: { holder: string }): Namespaces["ipcNamespace"] {
  if (mode === "task") return shared;
  return mode === "host" || mode === "none" ? mode : "own";
}

/** What holds the namespaces that a task shares. It carries the task's labels, but no container's name. */
export function holderOf(
  task: AssignedTask,
  { config, directory }: { readonly config: AgentConfig; readonly directory: string },
): NamespaceHolder {
  const id = holderIdOf(task);
  const asked = task.containers.map(
    ({ dockerConfig }) => decodeDockerSettings(dockerConfig).hostConfig.ShmSize ?? 0,
  );
  return {
    id,
    taskId: taskIdOf(task.arn),
    runtime: config.runtime,
    taskLimits: taskLimitsOf(task),
    shmBytes: Math.max(...asked) || SHM_BYTES_DEFAULT,
    outputPath: join(directory, "tasks", taskIdOf(task.arn), id),
    labels: { [AGENT_LABEL]: config.label, [TASK_LABEL]: task.arn },
  };
}

/** Unlike any container's id, which has a `-` there. */
export function holderIdOf({ arn }: AssignedTask): string {
  return `${taskIdOf(arn)}.pause`;
}

import type { TaskLimits } from "../runtime/runtime.ts";
import { decodeDockerSettings } from "./docker-settings.ts";
import type { AssignedTask } from "./task-record.ts";

/**
 * Processes and threads of a task on capacity that nobody manages, where nobody else would stop a fork bomb: half of the
 * smallest default kernel.pid_max.
 */
const FARGATE_PIDS_MAX = 16_384;

/** What the containers of a task may use together. */
export function taskLimitsOf(task: AssignedTask): TaskLimits {
  const maySwap = task.containers.some(({ dockerConfig, memory }) => {
    const { MemorySwap } = decodeDockerSettings(dockerConfig).hostConfig;
    return MemorySwap !== undefined && MemorySwap !== (memory ?? 0) * 2 ** 20;
  });
  const memoryBytes = task.memory ? task.memory * 2 ** 20 : undefined;
  return {
    cpuUnits: task.cpu ? task.cpu * 1024 : undefined,
    memoryBytes,
    // A limit that swap goes around is none; where a container was given swap, its own limit counts.
    swapBytes: memoryBytes === undefined || maySwap ? undefined : 0,
    pidsMax: task.launchType === "FARGATE" ? FARGATE_PIDS_MAX : undefined,
  };
}

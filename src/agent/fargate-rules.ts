/**
 * What no task gets on capacity that nobody manages, whatever its definition says: everything that reaches past the task.
 * The server refuses such definitions with ECS's words; this is the second lock. Pure.
 */
import { decodeDockerSettings } from "./docker-settings.ts";
import { type AssignedTask, networkModeOf } from "./task-record.ts";
import type { Unsupported } from "./unsupported.ts";
import { volumeOf } from "./volumes.ts";

/** ECS: the one capability that may be added there. */
const CAPABILITY_ALLOWED = /^(CAP_)?SYS_PTRACE$/i;

/** The first thing that a FARGATE task may not have; undefined for every other task. */
export function findFargateViolation(task: AssignedTask): Unsupported | undefined {
  if (task.launchType !== "FARGATE") return undefined;
  if (networkModeOf(task) !== "awsvpc") return { feature: `network mode ${networkModeOf(task)}` };
  if (task.pidMode === "host") return { feature: "pidMode host" };
  if (task.ipcMode) return { feature: `ipcMode ${task.ipcMode}` };
  const foreign = task.volumes.find(({ name }) => volumeOf(task, name)?.kind !== "task");
  if (foreign !== undefined) return { feature: `volume ${foreign.name} of the machine` };
  for (const { dockerConfig, name } of task.containers) {
    const { CapAdd, Devices, Privileged, SecurityOpt } =
      decodeDockerSettings(dockerConfig).hostConfig;
    const added = CapAdd?.find((capability) => !CAPABILITY_ALLOWED.test(capability));
    const feature =
      (Privileged && "privileged") ||
      (Devices?.length && "linuxParameters.devices") ||
      (SecurityOpt?.length && "dockerSecurityOptions") ||
      (added !== undefined && `capability ${added}`);
    if (feature) return { container: name, feature };
  }
  return undefined;
}

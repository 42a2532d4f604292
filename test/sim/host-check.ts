import type { Instance } from "../../src/ecs/model/instance.ts";
import type { Task } from "../../src/ecs/model/task.ts";
import { NEEDS } from "./definitions.ts";

/** What a machine has given too much of; undefined when its tasks fit on it. It adds up by itself, not with the product's sums. */
export function findOversubscription(
  instances: readonly Instance[],
  tasks: readonly Task[],
): string | undefined {
  const needs = tasks.flatMap(({ family }) => NEEDS.get(family) ?? []);
  const ports = needs.flatMap((need) => need.ports);
  const cpuUnits = needs.reduce((sum, need) => sum + need.cpuUnits, 0);
  const memoryMiB = needs.reduce((sum, need) => sum + need.memoryMiB, 0);
  for (const { registered } of instances) {
    if (cpuUnits > registered.cpuUnits || memoryMiB > registered.memoryMiB) {
      return `${cpuUnits} CPU units and ${memoryMiB} MiB`;
    }
    const clash = ports.find((port) => registered.ports.includes(port));
    if (clash !== undefined) return `the machine's own port ${clash}`;
  }
  return new Set(ports).size < ports.length ? `a port twice: ${ports.join(", ")}` : undefined;
}

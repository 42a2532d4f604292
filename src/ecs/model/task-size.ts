/** The texts in which callers say how large a task is. */

/** ECS: 0.125 to 192 vCPU for the whole task. */
const TASK_CPU_UNITS_MIN = 128;
const TASK_CPU_UNITS_MAX = 196_608;

/** CPU units of `1024`, `1 vCPU`, `.5vcpu`; undefined for anything else or out of range. */
export function parseTaskCpu(text: string): number | undefined {
  const match = /^(\d+|(\d*\.?\d+)\s*vcpu)$/i.exec(text.trim());
  if (!match) return undefined;
  const vcpus = match[2];
  const cpuUnits = vcpus === undefined ? Number(match[1]) : Number(vcpus) * 1024;
  const isInRange =
    Number.isInteger(cpuUnits) && cpuUnits >= TASK_CPU_UNITS_MIN && cpuUnits <= TASK_CPU_UNITS_MAX;
  return isInRange ? cpuUnits : undefined;
}

/** MiB of `2048`, `2GB`, `0.5 GB`; undefined for anything else. */
export function parseTaskMemory(text: string): number | undefined {
  const match = /^(\d+|(\d*\.?\d+)\s*gb)$/i.exec(text.trim());
  if (!match) return undefined;
  const gibibytes = match[2];
  const memoryMiB = gibibytes === undefined ? Number(match[1]) : Number(gibibytes) * 1024;
  return Number.isSafeInteger(memoryMiB) && memoryMiB > 0 ? memoryMiB : undefined;
}

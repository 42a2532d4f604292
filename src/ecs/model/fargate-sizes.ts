/** The sizes a FARGATE task can have: 74 pairs, as of August 2026 (`ecs-behaviour` §2.2). */

interface SizeRow {
  readonly cpuUnits: number;
  readonly memoryMiBMin: number;
  readonly memoryMiBMax: number;
  readonly stepMiB: number;
}

const ROWS: readonly SizeRow[] = [
  { cpuUnits: 512, memoryMiBMin: 1024, memoryMiBMax: 4096, stepMiB: 1024 },
  { cpuUnits: 1024, memoryMiBMin: 2048, memoryMiBMax: 8192, stepMiB: 1024 },
  { cpuUnits: 2048, memoryMiBMin: 4096, memoryMiBMax: 16384, stepMiB: 1024 },
  { cpuUnits: 4096, memoryMiBMin: 8192, memoryMiBMax: 30720, stepMiB: 1024 },
  { cpuUnits: 8192, memoryMiBMin: 16384, memoryMiBMax: 61440, stepMiB: 4096 },
  { cpuUnits: 16384, memoryMiBMin: 32768, memoryMiBMax: 122880, stepMiB: 8192 },
];

/** The smallest CPU size does not go by steps. */
const SMALLEST_CPU_UNITS = 256;
const SMALLEST_MEMORY_MIB: readonly number[] = [512, 1024, 2048];

/** Whether a FARGATE task may have this many CPU units and MiB. */
export function isFargateSize(cpuUnits: number, memoryMiB: number): boolean {
  if (cpuUnits === SMALLEST_CPU_UNITS) return SMALLEST_MEMORY_MIB.includes(memoryMiB);
  const row = ROWS.find((candidate) => candidate.cpuUnits === cpuUnits);
  if (!row) return false;
  const { memoryMiBMin, memoryMiBMax, stepMiB } = row;
  return (
    memoryMiB >= memoryMiBMin &&
    memoryMiB <= memoryMiBMax &&
    (memoryMiB - memoryMiBMin) % stepMiB === 0
  );
}

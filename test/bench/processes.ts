/** What processes cost, by /proc. */
import { globSync, readFileSync } from "node:fs";

/** Linux: `sysconf(_SC_CLK_TCK)` on every machine there is. */
const TICKS_PER_SECOND = 100;

export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  readonly residentMiB: number;
  /** Of all its threads, since it started. */
  readonly cpuSeconds: number;
}

/** Every process there is. */
export function listProcesses(): readonly Process[] {
  return globSync("/proc/[0-9]*").flatMap((directory) => {
    try {
      const stat = readFileSync(`${directory}/stat`, "utf8");
      // proc(5): the name stands in parentheses and may hold anything.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const status = readFileSync(`${directory}/status`, "utf8");
      return {
        pid: Number(directory.split("/")[2]),
        parent: Number(fields[1]),
        name: stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")")),
        residentMiB: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024,
        cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
      };
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}

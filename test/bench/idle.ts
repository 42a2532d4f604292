/** What a hundred idle tasks cost: memory of Gantry (server and agents in one process) and its CPU over a minute. */
import { setTimeout as delay } from "node:timers/promises";
import { skipReason } from "../e2e/gantry-kit.ts";
import { Fleet } from "./fleet.ts";
import { listProcesses } from "./processes.ts";
import { row } from "./summary.ts";

const TASKS = 100;
/** After a start, until what it has set off is done. */
const SETTLE_MS = 5_000;
const WINDOW_MS = 60_000;

interface Cost {
  readonly residentMiB: number;
  /** Share of one core. */
  readonly cpuPercent: number;
  /** What the machine runs for it: containerd, and one shim per task. */
  readonly engineMiB: number;
  readonly engineCpuPercent: number;
}

/** Prints both, beside the same without tasks. */
export async function measureIdle(): Promise<void> {
  const reason = await skipReason();
  if (reason !== false) {
    console.log(`idle cannot be measured here: ${reason}`);
    return;
  }
  await using fleet = await Fleet.open();
  const empty = await costOf(fleet.gantry.pid, WINDOW_MS / 3);
  const arns = await fleet.launch("bench-awsvpc", TASKS);
  await fleet.reach(arns, "RUNNING", 200);
  const full = await costOf(fleet.gantry.pid, WINDOW_MS);
  await fleet.stop(arns);
  console.log(`\n${TASKS} idle tasks, awsvpc: resident MiB / CPU in % of one core`);
  print("Gantry, server and agents in one process", full.residentMiB, full.cpuPercent);
  print("  the same without tasks", empty.residentMiB, empty.cpuPercent);
  print("containerd and its shims", full.engineMiB, full.engineCpuPercent);
  print("  the same without tasks", empty.engineMiB, empty.engineCpuPercent);
}

async function costOf(pid: number, windowMs: number): Promise<Cost> {
  await delay(SETTLE_MS);
  const [before, startedAt] = [look(pid), performance.now()];
  await delay(windowMs);
  const [after, seconds] = [look(pid), (performance.now() - startedAt) / 1000];
  const percent = (was: number, is: number): number => ((is - was) / seconds) * 100;
  return {
    residentMiB: after.residentMiB,
    cpuPercent: percent(before.cpuSeconds, after.cpuSeconds),
    engineMiB: after.engineMiB,
    engineCpuPercent: percent(before.engineCpuSeconds, after.engineCpuSeconds),
  };
}

const KEPT: ReadonlySet<string> = new Set(["sh", "ip"]);

interface Look {
  readonly residentMiB: number;
  readonly cpuSeconds: number;
  readonly engineMiB: number;
  readonly engineCpuSeconds: number;
}

/** Gantry with the shells and the `ip` that it keeps, and its containerd with the shims of that. */
function look(pid: number): Look {
  const all = listProcesses();
  const own = all.filter(
    (each) => each.pid === pid || (each.parent === pid && KEPT.has(each.name)),
  );
  const engine = all.find((each) => each.parent === pid && each.name === "containerd");
  const shims = all.filter((each) => each.name.startsWith("containerd-shim"));
  const engines = engine === undefined ? shims : [engine, ...shims];
  const sum = (processes: typeof all, of: "residentMiB" | "cpuSeconds"): number =>
    processes.reduce((total, each) => total + each[of], 0);
  return {
    residentMiB: sum(own, "residentMiB"),
    cpuSeconds: sum(own, "cpuSeconds"),
    engineMiB: sum(engines, "residentMiB"),
    engineCpuSeconds: sum(engines, "cpuSeconds"),
  };
}

function print(name: string, residentMiB: number, cpuPercent: number): void {
  row(name, `${residentMiB.toFixed(0).padStart(7)} /${cpuPercent.toFixed(1).padStart(6)}`);
}

/**
 * The control group of a task: parent of its containers' groups, carrying the limits of the task as a whole.
 * runc makes and removes the containers' groups below it; the task's own is ours.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../lib/clock.ts";
import type { TaskLimits } from "./runtime.ts";

/** Where the kernel shows its control groups. */
export interface CgroupMounts {
  /** 1 also on hybrid systems, whose version 2 tree has no controllers worth using. */
  readonly version: 1 | 2;
  /** Controller → mount point. Version 2 is one tree, `unified`, with all controllers. */
  readonly controllers: ReadonlyMap<string, string>;
}

/** A file of a control group and what to write there. */
export interface CgroupWrite {
  readonly controller: string;
  readonly file: string;
  readonly value: string;
  /** Kernels without it cannot limit this, and nothing depends on it. */
  readonly isOptional?: true;
}

/** The kernel's default period; one quota per period. */
const CPU_PERIOD_US = 100_000;
/** The kernel refuses smaller quotas. */
const CPU_QUOTA_US_MIN = 1000;
/** A killed process may be busy in the kernel for a while, a removed group waits for its last one to be reaped. */
const CLEAR_MS_MAX = 10_000;
const CLEAR_PAUSE_MS = 10;
/** What a container may be limited in; delegated down the version 2 tree. */
const DELEGATED = ["cpuset", "cpu", "io", "memory", "pids", "hugetlb"];

/** Finds the control groups in `/proc/self/mountinfo`. */
export async function findCgroupMounts(): Promise<CgroupMounts> {
  return parseCgroupMounts(await readFile("/proc/self/mountinfo", "utf8"));
}

/** Reads the text of a mountinfo file; see proc(5) for its columns. */
export function parseCgroupMounts(mountinfo: string): CgroupMounts {
  const controllers = new Map<string, string>();
  for (const line of mountinfo.split("\n")) {
    const [place = "", file = ""] = line.split(" - ");
    const mountPoint = place.split(" ")[4];
    const [type, , options = ""] = file.split(" ");
    if (mountPoint === undefined) continue;
    if (type === "cgroup2") controllers.set("unified", mountPoint);
    if (type !== "cgroup") continue;
    for (const option of options.split(",")) {
      if (option !== "rw" && option !== "ro" && option !== "xattr") {
        controllers.set(option, mountPoint);
      }
    }
  }
  return { version: controllers.has("memory") ? 1 : 2, controllers };
}

/** What to write into a task's control group for its limits. */
export function taskCgroupWrites(version: 1 | 2, limits: TaskLimits): readonly CgroupWrite[] {
  const writes = [...cpuWrites(version, limits)];
  if (limits.memoryBytes !== undefined) {
    writes.push(...memoryWrites(version, limits.memoryBytes, limits.swapBytes));
  }
  if (limits.pidsMax !== undefined) {
    const controller = version === 1 ? "pids" : "unified";
    writes.push({ controller, file: "pids.max", value: `${limits.pidsMax}` });
  }
  return writes;
}

function cpuWrites(version: 1 | 2, { cpuUnits }: TaskLimits): readonly CgroupWrite[] {
  if (cpuUnits === undefined) return [];
  const quota = Math.max(CPU_QUOTA_US_MIN, Math.floor((cpuUnits / 1024) * CPU_PERIOD_US));
  return version === 1
    ? [
        { controller: "cpu", file: "cpu.cfs_period_us", value: `${CPU_PERIOD_US}` },
        { controller: "cpu", file: "cpu.cfs_quota_us", value: `${quota}` },
      ]
    : [{ controller: "unified", file: "cpu.max", value: `${quota} ${CPU_PERIOD_US}` }];
}

/** Version 1 limits memory and swap together, and never lets that be less than the memory; version 2 swap alone. */
function memoryWrites(
  version: 1 | 2,
  memoryBytes: number,
  swapBytes: number | undefined,
): readonly CgroupWrite[] {
  const [controller, memoryFile, swapFile] =
    version === 1
      ? ["memory", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]
      : ["unified", "memory.max", "memory.swap.max"];
  const memory = { controller, file: memoryFile, value: `${memoryBytes}` };
  if (swapBytes === undefined) return [memory];
  const value = `${version === 1 ? memoryBytes + swapBytes : swapBytes}`;
  return [memory, { controller, file: swapFile, value, isOptional: true }];
}

/**
 * Makes the task's group (path below the mount, e.g. `/gantry/<taskId>`) and sets its limits. Idempotent. In a new group the
 * processor is left to `limitCpu`: what makes the first process is the engine's work, and a tenth of a core would hold it up for
 * seconds. To be called before that process runs anything of the task's.
 */
export async function createTaskCgroup(
  mounts: CgroupMounts,
  path: string,
  limits: TaskLimits,
): Promise<{ readonly limitCpu: () => Promise<void> }> {
  const { controllers, version } = mounts;
  const unified = controllers.get("unified");
  const tree = version === 1 ? controllers.get("cpu") : unified;
  const isNew = tree !== undefined && !existsSync(join(tree, path));
  if (version === 2 && unified !== undefined) await delegateControllers(unified, path);
  const others = { ...limits, cpuUnits: undefined };
  await limitAll(mounts, path, taskCgroupWrites(version, isNew ? others : limits));
  const later = isNew ? cpuWrites(version, limits) : [];
  return { limitCpu: () => limitAll(mounts, path, later) };
}

async function limitAll(
  mounts: CgroupMounts,
  path: string,
  writes: readonly CgroupWrite[],
): Promise<void> {
  const byController = Map.groupBy(writes, ({ controller }) => controller);
  // The kernel makes each of them wait for its own lock.
  await Promise.all(
    [...byController].map(([controller, own]) => limit(mounts, path, controller, own)),
  );
}

async function limit(
  mounts: CgroupMounts,
  path: string,
  controller: string,
  writes: readonly CgroupWrite[],
): Promise<void> {
  const mount = mounts.controllers.get(controller);
  // A kernel without the controller cannot limit; runc says the same of the containers' own limits.
  if (mount === undefined) throw new Error(`the cgroup controller ${controller} is not mounted`);
  await mkdir(join(mount, path), { recursive: true });
  for (const { file, isOptional, value } of writes) {
    if (isOptional && !existsSync(join(mount, path, file))) continue;
    await writeFile(join(mount, path, file), value);
  }
}

/** Removes a group from every hierarchy where nothing is in it; whether it is gone from all. Idempotent. */
export async function removeCgroup(mounts: CgroupMounts, path: string): Promise<boolean> {
  let isGone = true;
  for (const mount of new Set(mounts.controllers.values())) {
    await rmdir(join(mount, path)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return;
      if (error.code !== "EBUSY" && error.code !== "ENOTEMPTY") throw error;
      isGone = false;
    });
  }
  return isGone;
}

/** Removes a container's group; kills first what a dead shim may have left in it. Throws when it cannot be emptied. */
export async function clearCgroup(mounts: CgroupMounts, path: string, clock: Clock): Promise<void> {
  const giveUpAt = clock.now() + CLEAR_MS_MAX;
  while (!(await removeCgroup(mounts, path))) {
    for (const mount of new Set(mounts.controllers.values())) {
      const pids = await readFile(join(mount, path, "cgroup.procs"), "utf8").catch(() => "");
      for (const pid of pids.split("\n").filter(Boolean)) killIfThere(Number(pid));
    }
    if (clock.now() >= giveUpAt) throw new Error(`processes in the cgroup ${path} do not end`);
    await clock.sleep(CLEAR_PAUSE_MS);
  }
}

/**
 * How often the kernel killed a process of this very group (not of its parents or children) for memory. The group
 * outlives its processes until runc deletes the container, so this is exact also when nobody watched the kill.
 */
export async function countOomKills(mounts: CgroupMounts, path: string): Promise<number> {
  const mount = mounts.controllers.get(mounts.version === 1 ? "memory" : "unified");
  if (mount === undefined) return 0;
  const file = mounts.version === 1 ? "memory.oom_control" : "memory.events.local";
  const text = await readFile(join(mount, path, file), "utf8").catch(() => "");
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** A version 2 group has only the controllers that each of its ancestors hands down. */
async function delegateControllers(root: string, path: string): Promise<void> {
  let directory = root;
  for (const name of ["", ...path.split("/").filter(Boolean)]) {
    directory = join(directory, name);
    await mkdir(directory, { recursive: true });
    const available = await readFile(join(directory, "cgroup.controllers"), "utf8");
    const wanted = DELEGATED.filter((controller) => available.split(/\s+/).includes(controller));
    await writeFile(
      join(directory, "cgroup.subtree_control"),
      wanted.map((controller) => `+${controller}`).join(" "),
    );
  }
}

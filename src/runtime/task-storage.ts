/**
 * Disks of their own for tasks: what the containers of a task write (their layers and the task's volumes) shares one sparse
 * ext4 file of the asked size, so that the task as a whole gets ENOSPC at its limit, and nobody else.
 *
 * Nothing is written down beside the disks themselves. Each attempt to make one begins with a new file, so that one that was
 * cut short by a crash is never taken for whole; the kernel detaches the loop device with the last unmount. A disk that is
 * not mounted (the machine was restarted) held what no process can miss, and is made anew.
 */
import { execFile } from "node:child_process";
import { lstat, mkdir, open, readdir, readFile, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { messageOf } from "../lib/errors.ts";
import { KeyedTurns } from "../lib/turns.ts";
import { SYSTEM_PATH } from "./executables.ts";
import { RuntimeError } from "./runtime.ts";

/** Names the disk of a task. */
export interface TaskStorageKey {
  readonly taskId: string;
  /** Who looks after it: the agent's label. */
  readonly owner: string;
}

export interface TaskStorageUsage {
  readonly utilizedBytes: number;
  readonly reservedBytes: number;
}

export interface TaskStorage {
  /** See `Runtime.createTaskStorage`. */
  create(key: TaskStorageKey, bytes: number): Promise<string>;
  /** See `Runtime.removeTaskStorage`. */
  remove(key: TaskStorageKey): Promise<void>;
  /** See `Runtime.listTaskStorage`. */
  list(): Promise<readonly TaskStorageKey[]>;
  /** See `Runtime.taskStorageUsage`. */
  usage(key: TaskStorageKey): Promise<TaskStorageUsage | undefined>;
}

/** A busy disk; unmounting writes out what is left in memory. */
const TIMEOUT_MS = 120_000;
/**
 * No journal: a disk does not outlive a crash of the machine. No reserved blocks: all of it is the task's. `discard` gives
 * what the task deletes back to the machine.
 */
const MAKE = `mkfs.ext4 -q -F -m 0 -O ^has_journal -E lazy_itable_init=1,nodiscard "$1" &&
  exec mount -o loop,noatime,discard "$1" "$2"`;
/** Until nothing is mounted: an attempt that a crash cut short may have left a mount below another. */
const UNMOUNT = 'while mountpoint -q "$1"; do umount "$1" || umount -l "$1" || exit 1; done';

/** The disks below `directory`. */
export function createTaskStorage(directory: string): TaskStorage {
  const turns = new KeyedTurns();
  const home = ({ owner, taskId }: TaskStorageKey): string => join(directory, `${taskId}@${owner}`);
  return {
    create: (key, bytes) =>
      turns.take(home(key), async () => {
        const root = join(home(key), "root");
        if (!(await isMounted(root))) await make(home(key), bytes);
        return root;
      }),
    remove: (key) => turns.take(home(key), () => remove(home(key))),
    list: async () =>
      (await namesIn(directory)).flatMap((name) => {
        const [taskId, owner] = name.split("@");
        return taskId && owner ? [{ taskId, owner }] : [];
      }),
    usage: async (key) => {
      const root = join(home(key), "root");
      if (!(await isMounted(root))) return undefined;
      const { bfree, blocks, bsize } = await statfs(root);
      return { utilizedBytes: (blocks - bfree) * bsize, reservedBytes: blocks * bsize };
    },
  };
}

/** Where the task's volumes lie on its disk. */
export function volumesDirectory(storage: string): string {
  return join(storage, "volumes");
}

/** Whether something is mounted there: it then is on another device than its parent. */
export async function isMounted(root: string): Promise<boolean> {
  const [own, parent] = await Promise.all([root, join(root, "..")].map(statusOf));
  return own !== undefined && parent !== undefined && own.dev !== parent.dev;
}

async function statusOf(path: string): Promise<{ readonly dev: number } | undefined> {
  return lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
}

async function make(home: string, bytes: number): Promise<void> {
  const root = join(home, "root");
  await mkdir(root, { recursive: true, mode: 0o711 });
  const former = (await namesIn(home)).filter((name) => name.startsWith("disk-"));
  for (const name of former) await rm(join(home, name));
  const disk = join(home, `disk-${process.pid}-${process.hrtime.bigint()}`);
  const file = await open(disk, "wx", 0o600);
  try {
    await file.truncate(bytes);
  } finally {
    await file.close();
  }
  await shell(MAKE, [disk, root]);
  // The loop device then does not keep a second copy in memory. Some file systems have no such thing.
  const device = await deviceOf(root);
  if (device !== undefined) await run("losetup", ["--direct-io=on", device]).catch(() => undefined);
  await mkdir(join(root, "layers"), { mode: 0o711 });
  await mkdir(volumesDirectory(root), { mode: 0o711 });
}

async function remove(home: string): Promise<void> {
  const root = join(home, "root");
  // What is deleted need not be written out first.
  if (await isMounted(root)) {
    for (const name of await namesIn(root))
      await rm(join(root, name), { recursive: true, force: true });
  }
  await shell(UNMOUNT, [root]);
  await rm(home, { recursive: true, force: true });
}

/** The loop device that is mounted there. */
async function deviceOf(root: string): Promise<string | undefined> {
  const lines = (await readFile("/proc/self/mountinfo", "utf8")).trimEnd().split("\n");
  // Field 5 is the mount point; the device is the second field behind the separator.
  const line = lines.findLast((text) => text.split(" ")[4] === root);
  return / - \S+ (\/dev\/loop\d+) /.exec(line ?? "")?.[1];
}

async function namesIn(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
}

async function shell(script: string, args: readonly string[]): Promise<void> {
  try {
    await run("sh", ["-c", script, "sh", ...args]);
  } catch (error) {
    const stderr = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
    throw new RuntimeError(`the task's disk: ${stderr || messageOf(error)}`, { cause: error });
  }
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const env = { PATH: SYSTEM_PATH };
  await promisify(execFile)(program, args, { timeout: TIMEOUT_MS, env });
}

/**
 * Disks of their own for tasks: what the containers of a task write (their layers and the task's volumes) shares one sparse
 * ext4 file of the asked size, so that the task as a whole gets ENOSPC at its limit, and nobody else.
 *
 * An empty disk of each size is kept to be copied: that takes a tenth of the time of making a file system, which waits for
 * the machine's disk. Nothing is written down beside the disks themselves. Each attempt to make one begins with a new file, so that one that was
 * cut short by a crash is never taken for whole; the kernel detaches the loop device with the last unmount. A disk that is
 * not mounted (the machine was restarted) held what no process can miss, and is made anew.
 */
import { lstat, mkdir, open, readdir, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../lib/clock.ts";
import { Shells } from "../lib/shells.ts";
import { KeyedTurns } from "../lib/turns.ts";
import { SYSTEM_PATH } from "./executables.ts";
import { RuntimeError } from "./runtime.ts";
import { SpareDisk } from "./spare-disk.ts";

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
  /** See `Runtime.listTaskStorage`. Removes what a killed process has left that belongs to no task. */
  list(): Promise<readonly TaskStorageKey[]>;
  /** See `Runtime.taskStorageUsage`. */
  usage(key: TaskStorageKey): Promise<TaskStorageUsage | undefined>;
  /** Lets go of what it holds for itself. The tasks' disks stay. */
  close(): Promise<void>;
}

/** A busy disk; unmounting writes out what is left in memory. */
const TIMEOUT_MS = 120_000;
/** Programs that a dead process had started, all of which end. */
const SETTLE_SECONDS_MAX = 60;
const BLANK_PREFIX = "blank-";
/** Chosen: disks made or removed at a time. */
const SHELLS_MAX = 4;
/**
 * What a script starts may outlive a process that is killed, and would work on a disk of the next one: every script shares a lock
 * of the directory, which is free when its programs have ended.
 */
const LOCKED = 'test ! -d "$DISKS" || { exec 9<"$DISKS" && flock -s 9; } || exit\n';
const SETTLE = `test ! -d "$DISKS" || { exec 9<"$DISKS" && flock -w ${SETTLE_SECONDS_MAX} 9; }`;
/**
 * No journal: a disk does not outlive a crash of the machine. No reserved blocks: all of it is the task's. No room to grow: it
 * never does. The file is known to be all zeros, so that the kernel need not write tables of them.
 */
const MAKE_BLANK = `${LOCKED}exec mkfs.ext4 -q -F -m 0 -O ^has_journal,^resize_inode -E discard "$1"`;
/**
 * `discard` gives what the task deletes back to the machine. Direct I/O: the loop device then does not keep a second copy in
 * memory; some file systems have no such thing.
 */
const MAKE = `${LOCKED}cp "$1" "$2" && mount -o loop,noatime,discard "$2" "$3" || exit
losetup --direct-io=on "$(losetup -nO NAME -j "$2")" 2>/dev/null || :`;
/** Until nothing is mounted: an attempt that a crash cut short may have left a mount below another. */
const UNMOUNT = `${LOCKED}while mountpoint -q "$1"; do umount "$1" || umount -l "$1" || exit 1; done`;

/** The disks below `directory`. */
export function createTaskStorage(directory: string, clock: Clock): TaskStorage {
  const turns = new KeyedTurns();
  const env = { PATH: SYSTEM_PATH, DISKS: directory };
  const tools = new Shells({ path: "/bin/sh", env, countMax: SHELLS_MAX, clock });
  const blanks = new BlankDisks(directory, tools);
  const makeIn = async (place: string, bytes: number): Promise<void> =>
    make(tools, await blanks.get(bytes), place);
  const removeIn = (place: string): Promise<void> => remove(tools, place);
  const spare = new SpareDisk({ directory, make: makeIn, remove: removeIn, clock });
  const home = ({ owner, taskId }: TaskStorageKey): string => join(directory, `${taskId}@${owner}`);
  let settling: Promise<void> | undefined;
  /** Waits, once, until nothing that a dead process has started works on the disks. */
  const settled = (): Promise<void> => {
    settling ??= run(tools, SETTLE, []).catch((error: unknown) => {
      settling = undefined;
      throw error;
    });
    return settling;
  };
  return {
    create: (key, bytes) =>
      turns.take(home(key), async () => {
        await settled();
        const root = join(home(key), "root");
        if (await isMounted(root)) return root;
        if (!(await spare.take(home(key), bytes))) await makeIn(home(key), bytes);
        spare.refillSoon(bytes);
        return root;
      }),
    remove: (key) =>
      turns.take(home(key), async () => {
        await settled();
        await removeIn(home(key));
      }),
    list: async () => {
      await settled();
      const names = await namesIn(directory);
      for (const name of names) if (spare.isStale(name)) await removeIn(join(directory, name));
      return names.flatMap((name) => {
        const [taskId, owner] = name.split("@");
        return taskId && owner ? [{ taskId, owner }] : [];
      });
    },
    usage: async (key) => {
      const root = join(home(key), "root");
      if (!(await isMounted(root))) return undefined;
      const { bfree, blocks, bsize } = await statfs(root);
      return { utilizedBytes: (blocks - bfree) * bsize, reservedBytes: blocks * bsize };
    },
    close: async () => {
      await spare.close();
      tools.close();
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

/** Empty disks to copy, by size. Each process makes its own: one that a crash cut short is never taken for whole. */
class BlankDisks {
  readonly #directory: string;
  readonly #tools: Shells;
  readonly #bySize = new Map<number, Promise<string>>();

  constructor(directory: string, tools: Shells) {
    this.#directory = directory;
    this.#tools = tools;
  }

  get(bytes: number): Promise<string> {
    const known = this.#bySize.get(bytes);
    if (known !== undefined) return known;
    const making = this.#make(bytes);
    this.#bySize.set(bytes, making);
    making.catch(() => this.#bySize.delete(bytes));
    return making;
  }

  async #make(bytes: number): Promise<string> {
    const own = `${BLANK_PREFIX}${process.pid}-`;
    await mkdir(this.#directory, { recursive: true, mode: 0o711 });
    const names = await namesIn(this.#directory);
    for (const name of names)
      if (name.startsWith(BLANK_PREFIX) && !name.startsWith(own))
        await rm(join(this.#directory, name), { force: true });
    const blank = join(this.#directory, `${own}${bytes}`);
    await rm(blank, { force: true });
    const file = await open(blank, "wx", 0o600);
    try {
      await file.truncate(bytes);
    } finally {
      await file.close();
    }
    await run(this.#tools, MAKE_BLANK, [blank]);
    return blank;
  }
}

async function make(tools: Shells, blank: string, home: string): Promise<void> {
  const root = join(home, "root");
  await mkdir(root, { recursive: true, mode: 0o711 });
  const former = (await namesIn(home)).filter((name) => name.startsWith("disk-"));
  for (const name of former) await rm(join(home, name));
  const disk = join(home, `disk-${process.pid}-${process.hrtime.bigint()}`);
  await run(tools, MAKE, [blank, disk, root]);
  await Promise.all(
    [join(root, "layers"), volumesDirectory(root)].map((each) => mkdir(each, { mode: 0o711 })),
  );
}

async function remove(tools: Shells, home: string): Promise<void> {
  const root = join(home, "root");
  // What is deleted need not be written out first.
  if (await isMounted(root)) {
    for (const name of await namesIn(root))
      await rm(join(root, name), { recursive: true, force: true });
  }
  await run(tools, UNMOUNT, [root]);
  await rm(home, { recursive: true, force: true });
}

async function namesIn(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
}

/** Throws RuntimeError with what the tools say. */
async function run(tools: Shells, script: string, args: readonly string[]): Promise<void> {
  const { output, status } = await tools.run(script, args, TIMEOUT_MS);
  if (status === 0) return;
  throw new RuntimeError(`the task's disk: ${output.trim() || `exit status ${status}`}`);
}

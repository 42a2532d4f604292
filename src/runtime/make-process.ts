/**
 * A container's first process, also where a killed program stands in its way: a shim, containerd or runc that was killed in
 * the middle of making one (out of memory, `kill -9`) leaves files by its name, of which containerd knows nothing.
 */
import { execFile } from "node:child_process";
import { rm, rmdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { util } from "../lib/builtins.ts";
import type { CreateTask } from "./containerd/client.ts";
import { detailsOf, isCode, Status } from "./containerd/status.ts";
import { deleteTask, type Engine } from "./engine.ts";
import { SYSTEM_PATH } from "./executables.ts";
import { runtimeProgram } from "./runtime-choice.ts";
import { isMounted } from "./task-storage.ts";

/** Chosen: what is in the way takes one more death of containerd, a shim or runc each time, in the middle of making this process. */
const TRIES_MAX = 20;
/** containerd: where it describes the process to its shim. */
const BUNDLE_EXISTS = /mkdir (\/[^:]+): file exists/;
/** runc, gVisor and crun, each in its words. */
const STATE_EXISTS = /container with (?:given )?id\b.* exists|container `[^`]*` already exists/i;
/** The shim for runc: what runc and its like know of containers, by containerd's namespace. */
const STATE_ROOT = "/run/containerd/runc";

/**
 * Makes the process, without running it, and returns its id as this machine sees it. `runtime` is a program, see
 * {@link ContainerSpec.runtime}.
 */
export async function makeProcess(
  { containerd, options }: Engine,
  runtime: string,
  process: CreateTask,
): Promise<number> {
  for (let tries = 1; ; tries++) {
    try {
      return await containerd.tasks.create(process);
    } catch (error) {
      if (isCode(error, Status.ALREADY_EXISTS)) {
        // One that was sent again after containerd's restart finds what it made the first time, or only a shim with nothing in it.
        const made = await containerd.tasks.get(process.containerId);
        if (made !== undefined) return made.pid;
        if (tries === TRIES_MAX) throw error;
        await deleteTask(containerd, process.containerId);
        continue;
      }
      const place = { runtime, namespace: options.namespace, id: process.containerId };
      if (tries === TRIES_MAX || !(await clearLeftover(detailsOf(error), place))) throw error;
      options.log.warn("removed what a killed program left of a container", {
        id: process.containerId,
        found: detailsOf(error),
      });
    }
  }
}

interface Place {
  readonly runtime: string;
  readonly namespace: string;
  readonly id: string;
}

/** Whether it was a leftover that was in the way. */
async function clearLeftover(reason: string, { id, namespace, runtime }: Place): Promise<boolean> {
  const bundle = BUNDLE_EXISTS.exec(reason)?.[1];
  if (bundle !== undefined && basename(bundle) === id) {
    const rootfs = join(bundle, "rootfs");
    if (await isMounted(rootfs)) await run("umount", ["-l", rootfs]);
    // Fails rather than delete what is still mounted there.
    await rmdir(rootfs).catch(ignoreAbsent);
    await rm(bundle, { recursive: true, force: true });
    return true;
  }
  if (!STATE_EXISTS.test(reason) || runtimeProgram(runtime) !== runtime) return false;
  await run(runtime, ["--root", join(STATE_ROOT, namespace), "delete", "--force", id]);
  return true;
}

function ignoreAbsent(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}

async function run(program: string, args: readonly string[]): Promise<void> {
  await util.promisify(execFile)(program, args, { env: { PATH: SYSTEM_PATH } });
}

/**
 * The holder of a task's shared namespaces: a container without an image whose one process only waits and reaps. The first
 * of the task's own containers would not do: when the first process of a pid namespace ends, the kernel kills all others.
 */
import { execFile } from "node:child_process";
import { mkdir, readFile, rmdir } from "node:fs/promises";
import { util } from "../lib/builtins.ts";
import { createContainer, removeContainer } from "./create-container.ts";
import { asRuntimeError, type Engine, holderShmPath } from "./engine.ts";
import { SYSTEM_PATH } from "./executables.ts";
import { type ContainerSpec, type NamespaceHolder, RuntimeError } from "./runtime.ts";
import { startContainer } from "./start-container.ts";

/** Inside the holder. */
const PROGRAM = "/pause";

/** See `Runtime.holdNamespaces`. */
export async function holdNamespaces(engine: Engine, holder: NamespaceHolder): Promise<void> {
  const { containerd, host } = engine;
  const { id } = holder;
  const status = (await containerd.tasks.get(id))?.status;
  if (status === "RUNNING") return;
  if (host.initPath === undefined) {
    throw new RuntimeError(
      "sharing a task's namespaces takes the program catatonit (Debian package catatonit), which is not installed here",
    );
  }
  if (status !== "CREATED") await removeContainer(engine, id);
  try {
    await mountShm(holderShmPath(engine.options, id), holder.shmBytes);
  } catch (error) {
    throw asRuntimeError(error);
  }
  await createContainer(engine, specOf(engine, holder, host.initPath));
  await startContainer(engine, id);
}

function specOf(engine: Engine, holder: NamespaceHolder, program: string): ContainerSpec {
  const { id, labels, outputPath, runtime, shmBytes, taskId, taskLimits } = holder;
  const shm = holderShmPath(engine.options, id);
  return {
    id,
    taskId,
    runtime,
    taskLimits,
    shmBytes,
    outputPath,
    labels,
    image: "",
    args: [PROGRAM, "-P"],
    environment: [],
    workingDirectory: "/",
    user: "",
    hostname: undefined,
    network: { mode: "host" },
    cpuShares: 0,
    memoryBytesMax: undefined,
    memoryBytesReserved: undefined,
    memorySwapBytesMax: undefined,
    swappiness: undefined,
    pidNamespace: "own",
    ipcNamespace: "own",
    init: false,
    devices: [],
    privileged: false,
    readonlyRootfs: true,
    capabilitiesAdded: [],
    capabilitiesDropped: ["ALL"],
    noNewPrivileges: true,
    apparmorProfile: undefined,
    ulimits: [],
    sysctls: {},
    tmpfs: {},
    mounts: [
      { source: program, target: PROGRAM, readonly: true },
      { source: shm, target: "/dev/shm", readonly: false },
    ],
    terminal: false,
    stdinOpen: false,
  };
}

/** On the machine, because no mount inside the holder could be bound into another container. */
async function mountShm(path: string, bytes: number): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o711 });
  if (await isMounted(path)) return;
  const options = `nosuid,nodev,noexec,mode=1777,size=${bytes}`;
  await run("mount", ["-t", "tmpfs", "-o", options, "shm", path]);
}

/** Removes a holder's /dev/shm; of any other container there is none, which is a success. */
export async function unmountShm(engine: Engine, id: string): Promise<void> {
  const path = holderShmPath(engine.options, id);
  if (await isMounted(path)) await run("umount", [path]);
  await rmdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
}

async function isMounted(path: string): Promise<boolean> {
  const mounts = await readFile("/proc/self/mountinfo", "utf8");
  return mounts.split("\n").some((line) => line.split(" ")[4] === path);
}

async function run(program: string, args: readonly string[]): Promise<void> {
  await util.promisify(execFile)(program, args, { env: { ...process.env, PATH: SYSTEM_PATH } });
}

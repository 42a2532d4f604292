import { posix } from "node:path";
import type { HostFacts } from "./host-facts.ts";
import type { OciMount } from "./oci.ts";
import type { ContainerSpec } from "./runtime.ts";

const GUARDED = ["nosuid", "noexec", "nodev"];

/** Where Docker shows its init. */
export const INIT_TARGET = "/sbin/docker-init";

/**
 * The mounts every Linux program expects: /proc, /dev and its parts, /sys, control groups. `sharedShmPath`: of the task's
 * shared ipc namespace.
 */
export function defaultMounts(
  {
    ipcNamespace,
    privileged,
    shmBytes,
  }: Pick<ContainerSpec, "ipcNamespace" | "privileged" | "shmBytes">,
  sharedShmPath?: string,
): readonly OciMount[] {
  const access = privileged ? "rw" : "ro";
  return [
    { destination: "/proc", type: "proc", source: "proc", options: GUARDED },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: [...GUARDED, access] },
    {
      destination: "/sys/fs/cgroup",
      // runc takes this for version 2 as well.
      type: "cgroup",
      source: "cgroup",
      options: [...GUARDED, "relatime", access],
    },
    ...ipcMounts(ipcNamespace, shmBytes, sharedShmPath),
  ];
}

/** Message queues and shared memory belong to an ipc namespace: as its, or not at all. */
function ipcMounts(
  ipcNamespace: ContainerSpec["ipcNamespace"],
  shmBytes: number,
  sharedShmPath: string | undefined,
): readonly OciMount[] {
  // Mounted anew, it shows the queues of the namespace that it is mounted in.
  const mqueue = { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: GUARDED };
  const bindShm = (source: string): OciMount => ({
    destination: "/dev/shm",
    type: "bind",
    source,
    options: ["rbind", "rprivate", "rw", ...GUARDED],
  });
  if (ipcNamespace === "none") return [mqueue];
  if (ipcNamespace === "host") {
    return [mqueue, bindShm("/dev/shm")];
  }
  if (sharedShmPath !== undefined && ipcNamespace !== "own") {
    return [mqueue, bindShm(sharedShmPath)];
  }
  return [
    mqueue,
    {
      destination: "/dev/shm",
      type: "tmpfs",
      source: "shm",
      options: [...GUARDED, "mode=1777", `size=${shmBytes}`],
    },
  ];
}

/** The init program of a container that wants one. Throws an Error where it is not installed. */
export function initMounts(
  { init }: Pick<ContainerSpec, "init">,
  { initPath }: Pick<HostFacts, "initPath">,
): readonly OciMount[] {
  if (!init) return [];
  if (initPath === undefined) {
    throw new Error(
      "initProcessEnabled takes the program catatonit (Debian package catatonit), which is not installed here",
    );
  }
  return [{ destination: INIT_TARGET, type: "bind", source: initPath, options: ["bind", "ro"] }];
}

/** The container's own tmpfs and bind mounts, outer directories first, so that none hides another. */
export function userMounts(
  container: Pick<ContainerSpec, "tmpfs" | "mounts">,
): readonly OciMount[] {
  const temporary = Object.entries(container.tmpfs).map(([target, options]) => ({
    destination: absolute(target),
    type: "tmpfs",
    source: "tmpfs",
    // Later options win, so that `exec` in the task definition is heard.
    options: ["nosuid", "noexec", "nodev", ...options.split(",").filter(Boolean)],
  }));
  const binds = container.mounts.map(({ source, target, readonly }) => ({
    destination: absolute(target),
    type: "bind",
    source,
    options: ["rbind", "rprivate", readonly ? "ro" : "rw"],
  }));
  const depth = (path: string): number => path.split("/").filter(Boolean).length;
  return [...temporary, ...binds].sort((a, b) => depth(a.destination) - depth(b.destination));
}

function absolute(target: string): string {
  const path = posix.normalize(target).replace(/(.)\/+$/, "$1");
  if (!path.startsWith("/") || path === "/") {
    throw new Error(`invalid mount path: "${target}" must be an absolute path below /`);
  }
  return path;
}

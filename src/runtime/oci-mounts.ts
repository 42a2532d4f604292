import { posix } from "node:path";
import type { OciMount } from "./oci.ts";
import type { ContainerSpec } from "./runtime.ts";

/** The mounts every Linux program expects: /proc, /dev and its parts, /sys, control groups. */
export function defaultMounts({
  privileged,
  shmBytes,
}: Pick<ContainerSpec, "privileged" | "shmBytes">): readonly OciMount[] {
  const access = privileged ? "rw" : "ro";
  const guarded = ["nosuid", "noexec", "nodev"];
  return [
    { destination: "/proc", type: "proc", source: "proc", options: guarded },
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
    { destination: "/sys", type: "sysfs", source: "sysfs", options: [...guarded, access] },
    {
      destination: "/sys/fs/cgroup",
      // runc takes this for version 2 as well.
      type: "cgroup",
      source: "cgroup",
      options: [...guarded, "relatime", access],
    },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: guarded },
    {
      destination: "/dev/shm",
      type: "tmpfs",
      source: "shm",
      options: [...guarded, "mode=1777", `size=${shmBytes}`],
    },
  ];
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

import { execFile } from "node:child_process";
import { mkdir, readdir } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { util } from "../lib/builtins.ts";
import type { Mount } from "./containerd/messages.ts";
import { SYSTEM_PATH } from "./executables.ts";
import { type BindMount, RuntimeError } from "./runtime.ts";

/** Larger content than any image has, on a slow disk. */
const COPY_MS_MAX = 10 * 60_000;

/**
 * In a mount namespace of its own, which takes the mount with it. Walks the path by hand and follows no symbolic link: an
 * image could point one at the machine. `cp -a .` gives the volume itself the owner and mode of the image's directory.
 */
const SCRIPT = `
set -e
mounted=$1 volume=$2 rest=\${3#/} lower=$4
if [ -n "$mounted" ]; then mount -t overlay overlay -o "ro,lowerdir=$lower" "$mounted"; cd "$mounted"; else cd "$lower"; fi
while [ -n "$rest" ]; do
  name=\${rest%%/*}
  case $rest in */*) rest=\${rest#*/} ;; *) rest= ;; esac
  if [ -L "$name" ] || [ ! -d "$name" ]; then exit 0; fi
  cd "./$name"
done
cp -a . "$volume"
`;

/**
 * Docker's rule for volumes: one that is empty gets what the image has at the place where it is mounted, owner and mode
 * of the directory included. `rootfs`: the container's, made and not yet used.
 */
export async function copyUp(
  rootfs: readonly Mount[],
  { source, target }: BindMount,
  scratchDirectory: string,
): Promise<void> {
  if ((await readdir(source)).length > 0) return;
  const lower = lowerLayers(rootfs);
  const [only, ...more] = lower;
  if (only === undefined) return;
  const mounted = more.length > 0 ? join(scratchDirectory, "copy-up") : "";
  if (mounted !== "") await mkdir(mounted, { recursive: true, mode: 0o700 });
  // containerd's snapshots lie side by side; relative names let more of them fit into one call of mount.
  const cwd = dirname(dirname(only));
  const layers = lower.map((path) => relative(cwd, path)).join(":");
  const args = ["--mount", "sh", "-c", SCRIPT, "sh", mounted, source, target, layers];
  const env = { ...process.env, PATH: SYSTEM_PATH };
  try {
    await util.promisify(execFile)("unshare", args, { cwd, env, timeout: COPY_MS_MAX });
  } catch (error) {
    const stderr = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
    const reason = stderr || String(error);
    throw new RuntimeError(`cannot copy the image's ${target} into its volume: ${reason}`);
  }
}

/** The image's layers, uppermost first, without the container's own. */
function lowerLayers(rootfs: readonly Mount[]): readonly string[] {
  return rootfs.flatMap(({ type, options }) => {
    const option = options.find((text) => text.startsWith("lowerdir="));
    if (type !== "overlay" || option === undefined) return [];
    return option.slice("lowerdir=".length).split(":");
  });
}

import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Mount } from "./containerd/messages.ts";

/** Larger passwd and group files than any image has. */
const FILE_BYTES_MAX = 1024 * 1024;

/**
 * Reads a small text file of a container's root file system from the layers below its mounts, without mounting them.
 * "" when it is not there. Symbolic links are not followed: an image could point one at a file of this machine.
 */
export async function readRootfsFile(mounts: readonly Mount[], path: string): Promise<string> {
  for (const layer of layersOf(mounts)) {
    const found = await findIn(layer, path.split("/").filter(Boolean));
    if (found === "hidden") return "";
    if (found !== undefined) return readFile(found, "utf8");
  }
  return "";
}

/** Directories, uppermost first: overlayfs names them in its options, a single layer is a bind mount. */
function layersOf(mounts: readonly Mount[]): readonly string[] {
  return mounts.flatMap(({ type, source, options }) => {
    if (type !== "overlay") return [source];
    const option = (name: string): string[] =>
      options
        .filter((text) => text.startsWith(`${name}=`))
        .flatMap((text) => text.slice(name.length + 1).split(":"));
    return [...option("upperdir"), ...option("lowerdir")];
  });
}

/** The file's path in this layer, "hidden" when the layer says there is none, undefined when lower layers may have it. */
async function findIn(
  layer: string,
  components: readonly string[],
): Promise<string | "hidden" | undefined> {
  let path = layer;
  for (const [index, component] of components.entries()) {
    path = join(path, component);
    const status = await lstat(path).catch(() => undefined);
    if (status === undefined) return undefined;
    // overlayfs marks a deleted file by a device 0/0; anything but folders and a small file is none of ours either.
    const isLast = index === components.length - 1;
    const isExpected = isLast
      ? status.isFile() && status.size <= FILE_BYTES_MAX
      : status.isDirectory();
    if (!isExpected) return "hidden";
  }
  return path;
}

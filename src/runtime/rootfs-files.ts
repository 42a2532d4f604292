import { constants } from "node:fs";
import { lstat, open, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { Mount } from "./containerd/messages.ts";

/** Larger passwd and group files than any image has. */
const FILE_BYTES_MAX = 1024 * 1024;
/** Linux: symbolic links on the way to one file. */
const LINKS_MAX = 40;
/** Chosen: names on that way. A hostile image's links would make it as long as they like. */
const NAMES_MAX = 256;

/** A directory as its container would see it: where it lies in each layer that has a part of it, uppermost first. */
type Directory = readonly string[];
type Entry = Directory | { readonly file: string } | { readonly target: string } | undefined;

/**
 * Reads a small text file of a container's root file system from the layers below its mounts, without mounting them. "" when
 * it is not there. Symbolic links lead where they would lead inside the container, and never out of it: each name is looked
 * up by itself, `..` and absolute targets end at the layers' roots.
 */
export async function readRootfsFile(mounts: readonly Mount[], path: string): Promise<string> {
  const root = layersOf(mounts);
  /** From the root down to where the walk is. */
  let way: Directory[] = [root];
  const names = path.split("/");
  for (let links = 0, walked = 0; names.length > 0 && walked < NAMES_MAX; walked++) {
    const name = names.shift() ?? "";
    if (name === "" || name === ".") continue;
    if (name === "..") {
      if (way.length > 1) way.pop();
      continue;
    }
    const entry = await findIn(way.at(-1) ?? root, name);
    if (entry === undefined) return "";
    if ("file" in entry) return names.length === 0 ? readSmall(entry.file) : "";
    if ("target" in entry) {
      if (++links > LINKS_MAX) return "";
      if (entry.target.startsWith("/")) way = [root];
      names.unshift(...entry.target.split("/"));
      continue;
    }
    way.push(entry);
  }
  return "";
}

/** Directories, uppermost first: overlayfs names them in its options, a single layer is a bind mount. */
function layersOf(mounts: readonly Mount[]): Directory {
  return mounts.flatMap(({ type, source, options }) => {
    if (type !== "overlay") return [source];
    const option = (name: string): string[] =>
      options
        .filter((text) => text.startsWith(`${name}=`))
        .flatMap((text) => text.slice(name.length + 1).split(":"));
    return [...option("upperdir"), ...option("lowerdir")];
  });
}

/** What overlayfs would show: the uppermost of the name; directories are joined down to the first that is none. */
async function findIn(directory: Directory, name: string): Promise<Entry> {
  const parts: string[] = [];
  for (const layer of directory) {
    const path = join(layer, name);
    const status = await lstat(path).catch(() => undefined);
    if (status === undefined) continue;
    if (status.isDirectory()) {
      parts.push(path);
      continue;
    }
    if (parts.length > 0) break;
    if (status.isSymbolicLink()) return { target: await readlink(path) };
    // overlayfs marks a deleted file by a device 0/0; anything else but a file is none of ours either.
    return status.isFile() ? { file: path } : undefined;
  }
  return parts.length > 0 ? parts : undefined;
}

async function readSmall(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return (await file.stat()).size <= FILE_BYTES_MAX ? await file.readFile("utf8") : "";
  } finally {
    await file.close();
  }
}

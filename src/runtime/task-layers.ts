/** Writable layers of containers on their task's disk, in place of those that containerd would give them. */
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Mount } from "./containerd/messages.ts";
import { RuntimeError } from "./runtime.ts";
import { isMounted } from "./task-storage.ts";

/** Makes an empty layer for a container. Throws RuntimeError when the disk is not there. */
export async function createLayer(
  storage: string,
  containerId: string,
  mounts: readonly Mount[],
): Promise<void> {
  // What would be written to the bare folder below would have no limit.
  if (!(await isMounted(storage))) throw new RuntimeError("the task's disk is not mounted");
  const { home, upper, work } = placesOf(storage, containerId);
  await rm(home, { recursive: true, force: true });
  await mkdir(upper, { recursive: true });
  await mkdir(work, { mode: 0o711 });
  // The upper directory is the container's root directory, as to who may do what with it.
  const model = await stat(upperOf(mounts));
  await chmod(upper, model.mode);
  await chown(upper, model.uid, model.gid);
}

/** The mounts of a snapshot, with the layer on the task's disk as the one that is written to. */
export function layerMounts(
  storage: string,
  containerId: string,
  mounts: readonly Mount[],
): readonly Mount[] {
  const { upper, work } = placesOf(storage, containerId);
  return mounts.map((mount) =>
    mount.type === "overlay"
      ? {
          ...mount,
          options: mount.options.map((option) => {
            if (option.startsWith("upperdir=")) return `upperdir=${upper}`;
            return option.startsWith("workdir=") ? `workdir=${work}` : option;
          }),
        }
      : { ...mount, source: upper },
  );
}

/** Throws RuntimeError when a container's layer is gone: its disk was made anew. */
export function requireLayer(storage: string, containerId: string): void {
  const { upper } = placesOf(storage, containerId);
  if (existsSync(upper)) return;
  throw new RuntimeError("its files were lost with the task's disk when the machine was restarted");
}

/** Removes a container's layer; one that is not there is a success. */
export async function removeLayer(storage: string, containerId: string): Promise<void> {
  await rm(placesOf(storage, containerId).home, { recursive: true, force: true });
}

function placesOf(
  storage: string,
  containerId: string,
): { readonly home: string; readonly upper: string; readonly work: string } {
  const home = join(storage, "layers", containerId);
  return { home, upper: join(home, "upper"), work: join(home, "work") };
}

/** The directory that a snapshot is written to: an image without layers is a bind mount of it. */
export function upperOf(mounts: readonly Mount[]): string {
  const [mount] = mounts;
  const option = mount?.options.find((text) => text.startsWith("upperdir="));
  return option?.slice("upperdir=".length) ?? mount?.source ?? "";
}

/** Which directory of this machine each of a container's volumes is. Pure. */
import { createHash } from "node:crypto";
import { join, posix } from "node:path";
import type { PayloadContainer, PayloadVolume } from "../protocol/acs.ts";
import type { BindMount } from "../runtime/runtime.ts";
import { containerIdOf } from "./container-spec.ts";
import { decodeDockerSettings } from "./docker-settings.ts";
import { type AssignedTask, taskIdOf } from "./task-record.ts";

/** What a volume of a task definition is here. */
export type Volume =
  /** A directory or file of the machine; a directory that is not there is made. */
  | { readonly kind: "host"; readonly path: string }
  /** Lives and dies with the task. */
  | { readonly kind: "task" }
  /** Known by its name to all tasks of the machine, and kept. */
  | { readonly kind: "shared"; readonly name: string; readonly autoprovision: boolean }
  /** By the definition's own name for what this agent does not have. */
  | { readonly kind: "unsupported"; readonly feature: string };

/** Where volumes lie. */
export interface VolumePlaces {
  /** The agent's own. */
  readonly directory: string;
  /** Of all agents of the machine. */
  readonly volumesDirectory: string;
  /** Of the disk that the task has for itself, if it has one. */
  readonly taskStorage?: string | undefined;
}

/** A mount, and what must be so before it is made. */
export interface VolumeMount extends BindMount {
  /** Whether the source is made when it is missing. */
  readonly mayMake: boolean;
  /** The volume's name in the definition; undefined for one that the image declares. */
  readonly volume: string | undefined;
}

/** Whatever else a name holds stays out of paths. */
const SAFE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

/** A volume of the task by its name; undefined when the task has none of that name. */
export function volumeOf(task: AssignedTask, name: string): Volume | undefined {
  const volume = task.volumes.find((candidate) => candidate.name === name);
  return volume && kindOf(volume);
}

function kindOf(volume: PayloadVolume): Volume {
  const type = volume.type || "host";
  if (type === "host") {
    const path = volume.host?.sourcePath;
    if (!path) return { kind: "task" };
    return path.startsWith("/") ? { kind: "host", path } : namedVolume(path);
  }
  if (type !== "docker") return unsupported(`${type} volumes`);
  return dockerVolume(volume.name, volume.dockerVolumeConfiguration ?? {});
}

/** Docker takes a path that is not absolute for the name of a volume of its own. */
function namedVolume(name: string): Volume {
  return SAFE_NAME.test(name)
    ? { kind: "shared", name, autoprovision: true }
    : unsupported(`the relative sourcePath ${JSON.stringify(name)}`);
}

type DockerVolume = NonNullable<PayloadVolume["dockerVolumeConfiguration"]>;

/** Docker's driver `local`; of its options only a directory of the machine (`type=none,o=bind`). */
function dockerVolume(
  name: string,
  { autoprovision, driver = "local", driverOpts = {}, scope }: DockerVolume,
): Volume {
  if (driver !== "local") return unsupported(`volume driver ${driver}`);
  if (Object.keys(driverOpts).length > 0) {
    const { device, o = "", type = "none" } = driverOpts;
    const isBind = type === "none" && o.split(",").includes("bind");
    if (isBind && device?.startsWith("/")) return { kind: "host", path: device };
    return unsupported("driverOpts of the volume driver local other than a bind");
  }
  if (scope !== "shared") return { kind: "task" };
  return { kind: "shared", name, autoprovision: autoprovision === true };
}

function unsupported(feature: string): Volume {
  return { kind: "unsupported", feature };
}

/** The directory of a volume; undefined for one that is not known or not supported. */
export function volumePath(
  task: AssignedTask,
  name: string,
  places: VolumePlaces,
): string | undefined {
  const volume = volumeOf(task, name);
  switch (volume?.kind) {
    case "host":
      return volume.path;
    case "task":
      return join(taskVolumes(task, places), safe(name));
    case "shared":
      return join(places.volumesDirectory, safe(volume.name));
    default:
      return undefined;
  }
}

/**
 * What a container mounts: its mount points, what its image declares and nothing else covers, and all that the containers
 * mount which its `volumesFrom` names. `imageVolumes`: what a container's image declares.
 */
export function volumeMounts(
  task: AssignedTask,
  container: PayloadContainer,
  places: VolumePlaces,
  imageVolumes: (name: string) => readonly string[],
): readonly VolumeMount[] {
  const own = (container.mountPoints ?? []).flatMap((mount) => ownMount(task, mount, places));
  const others = (container.volumesFrom ?? []).flatMap(({ sourceContainer, readOnly }) => {
    const source = task.containers.find(({ name }) => name === sourceContainer);
    const mounts = source ? volumeMounts(task, source, places, imageVolumes) : [];
    return readOnly ? mounts.map((mount) => ({ ...mount, readonly: true })) : mounts;
  });
  const taken = new Set(own.map(({ target }) => target));
  const inherited = others.filter(({ target }) => !taken.has(target) && taken.add(target));
  const { Tmpfs = {} } = decodeDockerSettings(container.dockerConfig).hostConfig;
  for (const path of Object.keys(Tmpfs)) taken.add(posix.join("/", path));
  const declared = imageVolumes(container.name)
    .filter((target) => !taken.has(target))
    .map((target) => imageVolumeMount(task, container.name, target, places));
  return [...own, ...inherited, ...declared];
}

function ownMount(
  task: AssignedTask,
  { sourceVolume, containerPath, readOnly }: NonNullable<PayloadContainer["mountPoints"]>[number],
  places: VolumePlaces,
): readonly VolumeMount[] {
  const volume = volumeOf(task, sourceVolume);
  const source = volumePath(task, sourceVolume, places);
  if (source === undefined) return [];
  return [
    {
      source,
      target: normalTarget(containerPath),
      readonly: readOnly === true,
      copyUp: volume?.kind !== "host",
      mayMake: volume?.kind !== "shared" || volume.autoprovision,
      volume: sourceVolume,
    },
  ];
}

/** Docker gives each container a volume of its own for each path that its image declares. */
function imageVolumeMount(
  task: AssignedTask,
  container: string,
  target: string,
  places: VolumePlaces,
): VolumeMount {
  const name = createHash("sha256").update(target).digest("hex").slice(0, 16);
  const directory = `${containerIdOf(task.arn, container)}.image`;
  const source = join(taskVolumes(task, places), directory, name);
  return { source, target, readonly: false, copyUp: true, mayMake: true, volume: undefined };
}

/** The paths that an image declares as volumes, as they are compared with mount points. */
export function normalImageVolumes(paths: readonly string[]): readonly string[] {
  const absolute = paths.map(normalTarget).filter((path) => path !== "/");
  return [...new Set(absolute)].sort();
}

function normalTarget(path: string): string {
  return posix.join("/", path).replace(/(.)\/$/, "$1");
}

function taskVolumes(task: AssignedTask, { directory, taskStorage }: VolumePlaces): string {
  if (taskStorage !== undefined) return join(taskStorage, "volumes");
  return join(directory, "tasks", taskIdOf(task.arn), "volumes");
}

function safe(name: string): string {
  return SAFE_NAME.test(name) ? name : createHash("sha256").update(name).digest("hex");
}

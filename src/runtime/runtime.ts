import type { ImageCleanup, ImageSummary } from "./image-catalogue.ts";
import type { PullOptions } from "./pull.ts";
import type { TaskStorageKey, TaskStorageUsage } from "./task-storage.ts";

/**
 * What the agent needs of a container engine. Two implementations: containerd, and a scripted fake for tests.
 * All calls are idempotent: doing again what is done already succeeds.
 */
export interface Runtime {
  /** Name and version for the agent's registration, e.g. `containerd 1.6.20`. */
  version(): Promise<string>;
  /** The image as it is here, or undefined when it is not. Accepts Docker short names (`hello` = `docker.io/library/hello:latest`). */
  findImage(reference: string): Promise<Image | undefined>;
  /** Imports an OCI layout or docker-archive tar. Returns the full names of what it holds. Throws ImageError with what is wrong. */
  loadImage(
    archive: AsyncIterable<Uint8Array>,
    onProgress?: (text: string) => void,
  ): Promise<readonly Image[]>;
  /**
   * Makes the image what its registry now says it is; what is here already is not fetched again. Tries again by itself as
   * long as that may help. Throws PullError, or the reason of `signal`.
   */
  pullImage(reference: string, options: PullOptions): Promise<Image>;
  /** Every image that is here, by name. */
  listImages(): Promise<readonly ImageSummary[]>;
  /** Removes an image's name, and what nothing else keeps of it. Its name; undefined: no such image. Throws ImageError while a container uses it. */
  removeImage(reference: string): Promise<string | undefined>;
  /** Removes pulled images that nobody has wanted for a while. Returns their names. */
  removeUnusedImages(cleanup: ImageCleanup): Promise<readonly string[]>;
  /**
   * The disk of its own that a task's containers write to, made when it is not there: a directory for
   * `ContainerSpec.taskStorage`, whose folder `volumes` is for the task's volumes. Throws RuntimeError.
   */
  createTaskStorage(key: TaskStorageKey, bytes: number): Promise<string>;
  /** Takes a task's disk away with all that is on it. Its containers must be gone. An unknown one is a success. */
  removeTaskStorage(key: TaskStorageKey): Promise<void>;
  /** The disks that are here, whole or not. */
  listTaskStorage(): Promise<readonly TaskStorageKey[]>;
  /** How full a task's disk is; undefined when the task has none. */
  taskStorageUsage(key: TaskStorageKey): Promise<TaskStorageUsage | undefined>;
  /**
   * Prepares the root file system and the process of a container, without running it. Its network namespace has to be there
   * when `network` resolves. Throws RuntimeError, ProcessError among them, and what `network` rejects with, of the classes of `lib/errors`.
   */
  create(spec: ContainerSpec, network?: Promise<void>): Promise<void>;
  /**
   * Makes and runs a container without an image whose one process does nothing but keep a pid and an ipc namespace, and
   * reap. It is listed, and removed, like every other. One that runs stays; one that has ended is made anew.
   */
  holdNamespaces(holder: NamespaceHolder): Promise<void>;
  /** Runs a created container. Throws RuntimeError if its process cannot be started. */
  start(id: string): Promise<void>;
  /**
   * Runs a container again that ended with `after`, with its root file system as it left it and its output going on. One
   * that has been started again since is left alone. Throws RuntimeError if its process cannot be started.
   */
  restart(id: string, after: ExitState): Promise<void>;
  /** Sends a signal (`SIGTERM`, `SIGKILL`, …) to the container's first process; a stopped container is left alone. */
  signal(id: string, signal: string): Promise<void>;
  /** Removes a container and all that belongs to it, killing it if it runs. An unknown id is a success. */
  remove(id: string): Promise<void>;
  /** Every container of this node, running or not. */
  list(): Promise<readonly ContainerState[]>;
  /** Resolves when the container has stopped (at once if it has). Survives a restart of the engine. */
  wait(id: string, signal: AbortSignal): Promise<ExitState>;
  /**
   * Runs a command inside a running container, as the container's own user, and waits for its end. Throws RuntimeError
   * when it cannot be started or its container ends. A command that outlives its time is killed.
   */
  exec(id: string, command: ExecCommand, signal: AbortSignal): Promise<ExecResult | "timedOut">;
  /** What a running container has used, from its control group and network namespace; undefined when it does not run. Cheap. */
  stats(id: string): Promise<ContainerStats | undefined>;
}

export interface ExecCommand {
  readonly args: readonly string[];
  /** From the command's start. */
  readonly timeoutMs: number;
}

export interface ExecResult {
  readonly exitCode: number;
  /** The first {@link EXEC_OUTPUT_BYTES_MAX} bytes of both output streams. */
  readonly output: string;
}

/** Docker keeps as much of a health check's output. */
export const EXEC_OUTPUT_BYTES_MAX = 4096;

/** Counters since the container's start, and present values. */
export interface ContainerStats {
  /** Epoch milliseconds. */
  readonly readAt: number;
  readonly cpu: {
    readonly totalNs: number;
    readonly userNs: number;
    readonly systemNs: number;
    /** Of the container's own quota; the task's as a whole is above it. */
    readonly periods: number;
    readonly throttledPeriods: number;
    readonly throttledNs: number;
  };
  readonly onlineCpus: number;
  /** Time of all cores of the machine, idle included: what `cpu.totalNs` is a share of. */
  readonly systemCpuNs: number;
  readonly memory: {
    readonly usageBytes: number;
    /** Of the container, its task or the machine, whichever is least. */
    readonly limitBytes: number;
    readonly maxUsageBytes: number;
    /** Of the usage: pages of files. */
    readonly cacheBytes: number;
    /** The kernel's memory.stat, by its names. */
    readonly stat: Readonly<Record<string, number>>;
  };
  /** Processes and threads. */
  readonly pids: number;
  /** By name, without the loopback; empty on the machine's own network. */
  readonly network: Readonly<Record<string, InterfaceStats>>;
  readonly block: {
    readonly readBytes: number;
    readonly writeBytes: number;
    readonly readOps: number;
    readonly writeOps: number;
  };
}

export interface InterfaceStats {
  readonly rxBytes: number;
  readonly rxPackets: number;
  readonly rxErrors: number;
  readonly rxDropped: number;
  readonly txBytes: number;
  readonly txPackets: number;
  readonly txErrors: number;
  readonly txDropped: number;
}

export interface Image {
  /** Full name, e.g. `docker.io/library/hello:latest`. */
  readonly name: string;
  /** `sha256:…` of what the name stands for: the manifest, or the index of manifests for several platforms. */
  readonly digest: string;
  /** How it came here. Whoever loaded an image by hand means that one, whatever a registry has under its name. */
  readonly origin: "loaded" | "pulled";
  readonly config: ImageConfig;
}

/** What an image says about its process. */
export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  /** `NAME=value`. */
  readonly environment: readonly string[];
  readonly workingDirectory: string;
  readonly user: string;
  /** Default `SIGTERM`. */
  readonly stopSignal: string;
  /** Paths where Docker gives each container a volume of its own. */
  readonly volumes: readonly string[];
}

/** Everything about one container, already merged from image, task definition and node. */
export interface ContainerSpec {
  /** Unique on the node: `<taskId>-<container name>`, characters of containerd ids. */
  readonly id: string;
  /** The task's id: its containers share a shim and a parent cgroup. */
  readonly taskId: string;
  /** Who runs it: `runc`, `crun`, `runsc` or another program with runc's command line, or a shim such as `io.containerd.kata.v2`. */
  readonly runtime: string;
  /** Name from `Image.name`; empty: an empty root file system. */
  readonly image: string;
  /** From `Image.digest`: the image that had the name then. Absent: the one that has it now. */
  readonly imageDigest?: string | undefined;
  readonly args: readonly string[];
  /** `NAME=value`, later wins. */
  readonly environment: readonly string[];
  readonly workingDirectory: string;
  /** `user`, `uid`, `user:group` …; names are looked up inside the image. Empty: root. */
  readonly user: string;
  readonly hostname: string | undefined;
  readonly network: ContainerNetwork;
  /** cgroup limits of this container. */
  readonly cpuShares: number;
  readonly memoryBytesMax: number | undefined;
  readonly memoryBytesReserved: number | undefined;
  /** Memory and swap together; undefined: no swap beside the memory limit. */
  readonly memorySwapBytesMax: number | undefined;
  /** How readily the kernel swaps its memory out, 0 to 100; undefined: as it does for the machine. */
  readonly swappiness: number | undefined;
  /** Limits of the task as a whole, put on the parent cgroup. */
  readonly taskLimits: TaskLimits;
  readonly pidNamespace: "own" | "host" | SharedNamespace;
  /** `none`: its own, and no /dev/shm. */
  readonly ipcNamespace: "own" | "none" | "host" | SharedNamespace;
  /** Runs the command under an init process that passes signals on and reaps what is left to it. */
  readonly init: boolean;
  readonly devices: readonly DeviceMapping[];
  /** From `createTaskStorage`: where the container's writable layer lies. Absent: with the engine, without a limit. */
  readonly taskStorage?: string | undefined;
  readonly privileged: boolean;
  readonly readonlyRootfs: boolean;
  /** Without `CAP_`. Added to and dropped from Docker's default set; `ALL` is understood. */
  readonly capabilitiesAdded: readonly string[];
  readonly capabilitiesDropped: readonly string[];
  readonly noNewPrivileges: boolean;
  /** By name, or `unconfined`; undefined: the default profile, where the kernel has AppArmor. */
  readonly apparmorProfile: string | undefined;
  readonly ulimits: readonly { name: string; soft: number; hard: number }[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly shmBytes: number;
  /** Target path → options such as `size=64m`. */
  readonly tmpfs: Readonly<Record<string, string>>;
  readonly mounts: readonly BindMount[];
  /** Gives the process a terminal of its own, on which both output streams are one. */
  readonly terminal: boolean;
  /** Keeps standard input open, though nobody writes to it; else it is at its end from the start. */
  readonly stdinOpen: boolean;
  /** Where the container's stdout and stderr go, byte for byte, also while no agent runs. */
  readonly outputPath: string;
  /** While the disk is full the container waits with what it writes; else that is lost. */
  readonly outputWaits?: boolean | undefined;
  /** Kept with the container; the agent finds its own again by them. */
  readonly labels: Readonly<Record<string, string>>;
}

/** What all containers of a task may use together; undefined: no limit. */
export interface TaskLimits {
  /** 1024 are one core; at most that share of each period, not a weight. */
  readonly cpuUnits: number | undefined;
  readonly memoryBytes: number | undefined;
  /** Beside the memory, which then must be limited too. */
  readonly swapBytes?: number | undefined;
  readonly pidsMax?: number | undefined;
}

/** The namespace that a holder keeps for its task: see {@link Runtime.holdNamespaces}. */
export interface SharedNamespace {
  /** The holder's id. */
  readonly holder: string;
}

/** A device of the machine in a container; a directory of them stands for all that is in it. */
export interface DeviceMapping {
  readonly hostPath: string;
  readonly containerPath: string;
  /** Of `r`, `w` and `m` (mknod). */
  readonly permissions: string;
}

/** Namespaces that the containers of a task share, and what keeps them. */
export interface NamespaceHolder {
  /** As of a container; not one of its task's containers. */
  readonly id: string;
  readonly taskId: string;
  readonly runtime: string;
  readonly taskLimits: TaskLimits;
  /** Of the /dev/shm that those who share the ipc namespace see. */
  readonly shmBytes: number;
  readonly outputPath: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface BindMount {
  readonly source: string;
  readonly target: string;
  readonly readonly: boolean;
  /** Docker's rule for volumes: while the source is empty, what the image has at the target is copied into it. */
  readonly copyUp?: boolean;
}

export type ContainerNetwork =
  /** The machine's own network. */
  | { readonly mode: "host" }
  /** An existing network namespace, e.g. `/run/netns/…`. */
  | { readonly mode: "namespace"; readonly path: string }
  /** A namespace of the container's own with a loopback and nothing else. */
  | { readonly mode: "isolated" };

export interface ContainerState {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly status: "created" | "running" | "stopped";
  /** When stopped. */
  readonly exit?: ExitState;
}

/** Docker's exit code of a container whose end nobody saw. */
export const EXIT_CODE_LOST = 255;

export interface ExitState {
  readonly exitCode: number;
  /** Epoch milliseconds. */
  readonly exitedAt: number;
  /** The kernel killed it for its memory limit. */
  readonly oomKilled: boolean;
}

/** Something the engine refused; `message` goes behind `CannotCreateContainerError: ` or the like. */
export class RuntimeError extends Error {
  override readonly name: string = "RuntimeError";
}

/** All is there but the process, which cannot be made so. Docker, and so ECS, notices when it starts the container. */
export class ProcessError extends RuntimeError {
  override readonly name = "ProcessError";
}

/** An archive that is no image, or one for another machine. The message says which. */
export class ImageError extends Error {
  override readonly name: string = "ImageError";
}

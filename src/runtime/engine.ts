/** What the operations on containers share. */
import { join } from "node:path";
import type { Clock } from "../lib/clock.ts";
import { UnavailableError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { KeyedTurns, Permits } from "../lib/turns.ts";
import type { CgroupMounts } from "./cgroups.ts";
import type { Containerd } from "./containerd/client.ts";
import type { Container } from "./containerd/messages.ts";
import { detailsOf, isCode, Status, tolerating } from "./containerd/status.ts";
import type { ExitRecords } from "./exit-records.ts";
import type { HostFacts } from "./host-facts.ts";
import type { ImageAccounts } from "./image-accounts.ts";
import type { Images } from "./images.ts";
import type { OutputKeeper } from "./output-keeper.ts";
import type { OutputPipes } from "./output-pipes.ts";
import type { OutputStreams } from "./output-streams.ts";
import { RuntimeError, type TaskLimits } from "./runtime.ts";

export interface ContainerdRuntimeOptions {
  readonly socketPath: string;
  /** containerd's namespace of this node. */
  readonly namespace: string;
  /** Control group that all tasks of this node lie in, e.g. `/gantry`. Two nodes on one machine need two. */
  readonly cgroupParent: string;
  /** For exit records, and archives while they are loaded. */
  readonly stateDirectory: string;
  readonly registries?: RegistrySettings;
  readonly clock: Clock;
  /** Default: the operating system's. */
  readonly random?: Random;
  readonly log: Log;
}

export interface RegistrySettings {
  /** A file as `docker login` writes it. */
  readonly loginFile?: string | undefined;
  /** `host[:port]` of registries that may speak plain HTTP; loopback always may. */
  readonly insecure?: readonly string[];
  /** Where HTTP_PROXY and its like are looked up. */
  readonly proxyEnv?: NodeJS.ProcessEnv;
}

export interface Engine {
  readonly options: ContainerdRuntimeOptions;
  readonly containerd: Containerd;
  readonly images: Images;
  readonly accounts: ImageAccounts;
  readonly exits: ExitRecords;
  readonly cgroups: CgroupMounts;
  readonly host: HostFacts;
  /** By task: its containers share a shim, which must not end under a container that is just being made. */
  readonly turns: KeyedTurns;
  /** For making and for starting a process: each runs programs of the engine that keep a processor busy. */
  readonly starts: Permits;
  /** Of commands run in containers. */
  readonly pipes: OutputPipes;
  readonly outputs: OutputKeeper;
  /** Of containers that are made and do not run yet. */
  readonly streams: Map<string, OutputStreams>;
  /** Container → task, so that reading a container's control group needs no call to containerd. */
  readonly taskIds: Map<string, string>;
  /** Containers being made or removed, of which containerd may show only parts. */
  readonly changing: Set<string>;
}

/** On each container's record: the task whose shim and control group it shares. */
export const TASK_LABEL = "io.gantry.task-id";
/** On each container's record: its {@link ProcessFrame} as JSON. */
const FRAME_LABEL = "io.gantry.process-frame";
/** containerd: bytes of a label's name and value together. */
const LABEL_BYTES_MAX = 4096;
export const SIGKILL = 9;

/** What a container's process is put into, kept with the container so that it can be made again. */
export interface ProcessFrame {
  readonly outputPath: string;
  /** See `ContainerSpec.outputWaits`. */
  readonly outputWaits?: boolean | undefined;
  readonly terminal: boolean;
  /** See `ContainerSpec.runtime`. Undefined in one of a former version. */
  readonly runtime?: string | undefined;
  /** A named pipe without a writer; undefined: standard input is at its end. */
  readonly stdinPath?: string | undefined;
  readonly taskLimits: TaskLimits;
  /** The disk of its task that its writable layer lies on. */
  readonly taskStorage?: string | undefined;
  /** Whose namespaces its specification names by process id. */
  readonly holder?: { readonly id: string; readonly pid: number } | undefined;
}

/**
 * The labels of a container's record: those it was given, and ours. Docker has no limit to a label, and containerd would refuse
 * the container: one that is too long for it is nowhere to be seen but in the task's definition.
 */
export function recordLabels(
  given: Readonly<Record<string, string>>,
  taskId: string,
  frame: ProcessFrame,
): Readonly<Record<string, string>> {
  const fitting = Object.entries(given).filter(
    ([name, value]) => Buffer.byteLength(name) + Buffer.byteLength(value) <= LABEL_BYTES_MAX,
  );
  return {
    ...Object.fromEntries(fitting),
    [TASK_LABEL]: taskId,
    [FRAME_LABEL]: JSON.stringify(frame),
  };
}

/** The labels that a container was given, and that fitted. */
export function givenLabels({
  labels,
}: Pick<Container, "labels">): Readonly<Record<string, string>> {
  const { [TASK_LABEL]: _task, [FRAME_LABEL]: _frame, ...given } = labels;
  return given;
}

/** Undefined for a container of a former version. */
export function frameOf({ labels }: Container): ProcessFrame | undefined {
  const text = labels[FRAME_LABEL];
  return text === undefined ? undefined : (JSON.parse(text) as ProcessFrame);
}

/** The control group of a task below the mounts. */
export function taskCgroup({ cgroupParent }: ContainerdRuntimeOptions, taskId: string): string {
  return `${cgroupParent}/${taskId}`;
}

/** The /dev/shm that a holder of namespaces keeps for its task. */
export function holderShmPath({ stateDirectory }: ContainerdRuntimeOptions, id: string): string {
  return join(stateDirectory, "shm", id);
}

/** Sends a signal, or a SIGKILL to all of a container's processes; one that has ended is left alone. */
export async function kill(
  containerd: Containerd,
  id: string,
  signal: number,
  all: boolean,
): Promise<void> {
  try {
    await containerd.tasks.kill(id, signal, all);
  } catch (error) {
    if (isCode(error, Status.NOT_FOUND)) return;
    const status = (await containerd.tasks.get(id))?.status;
    if (status !== undefined && status !== "STOPPED") throw asRuntimeError(error);
  }
}

/** Has the shim let an ended process go. It first writes the last of the output. */
export async function deleteTask(containerd: Containerd, id: string): Promise<void> {
  await tolerating([Status.NOT_FOUND], containerd.tasks.delete(id));
}

/** What runc or containerd wrap around the reason, innermost last. */
const WRAPPING =
  /^.*(?:unable to start container process|error during container init|container_linux\.go:\d+: starting container process caused|runc create failed|OCI runtime (?:create|start|state) failed|failed to create (?:shim )?task): /s;

/** Keeps the part of an engine's error that says something to the author of a task definition. */
export function asRuntimeError(error: unknown): Error {
  if (error instanceof RuntimeError || error instanceof UnavailableError) return error;
  const reason = detailsOf(error)
    .replace(WRAPPING, "")
    .replace(/: unknown$/, "");
  return new RuntimeError(reason, { cause: error });
}

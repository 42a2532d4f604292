/** A containerd of Gantry's own: another one on this machine (Docker's, Kubernetes') is neither needed nor touched. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { dirname, join, resolve } from "node:path";
import type { Clock } from "../lib/clock.ts";
import { messageOf, SetupError, UnavailableError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { createContainerdClient } from "./containerd/client.ts";
import { findExecutable, SYSTEM_PATH } from "./executables.ts";
import { cutOff, keepSmall } from "./growing-log.ts";

export interface PrivateContainerd {
  readonly socketPath: string;
  /** Starts containerd again whenever it dies, until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** Ends containerd; containers run on, and the next start finds them. */
  stop(): Promise<void>;
}

export interface ContainerdPaths {
  readonly root: string;
  readonly state: string;
  readonly socket: string;
  readonly config: string;
  readonly log: string;
  readonly pid: string;
}

interface Options {
  /** Everything of this containerd lies here, except its socket and state when their path would be too long. */
  readonly directory: string;
  readonly log: Log;
  readonly clock: Clock;
  /** Called before each start, while no containerd runs; the result is disposed of when it answers or has failed. */
  readonly beforeStart?: (paths: ContainerdPaths) => Promise<Disposable>;
}

/** sockaddr_un has 108 bytes with the closing zero; containerd adds a second socket with `.ttrpc` behind the name. */
const SOCKET_PATH_BYTES_MAX = 107 - ".ttrpc".length;
const READY_MS_MAX = 30_000;
/** Chosen. Who is killed as often while starting will not be left alone. */
const FIRST_STARTS_MAX = 5;
const STOP_MS_MAX = 10_000;
const POLL_MS = 20;
const RESTART_PAUSE_MS = { first: 100, max: 5_000 };
/** Plugins of 1.6, 1.7 and 2.x that Gantry has no use for; unknown names do no harm. */
const DISABLED_PLUGINS = [
  "io.containerd.grpc.v1.cri",
  "io.containerd.cri.v1.images",
  "io.containerd.cri.v1.runtime",
  "io.containerd.podsandbox.controller.v1.podsandbox",
  "io.containerd.nri.v1.nri",
  "io.containerd.internal.v1.opt",
  "io.containerd.internal.v1.restart",
  "io.containerd.internal.v1.tracing",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.monitor.v1.cgroups",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.native",
  "io.containerd.snapshotter.v1.zfs",
];

/**
 * Starts the containerd of `directory` and resolves when it answers. One left over from a killed Gantry is ended first:
 * its containers do not mind, and there is one kind of supervision only. Throws SetupError when it cannot run.
 */
export async function startContainerd(options: Options): Promise<PrivateContainerd> {
  const binary = await findExecutable("containerd");
  if (binary === undefined) {
    throw new SetupError("containerd is not installed: apt-get install containerd runc");
  }
  const paths = containerdPaths(resolve(options.directory));
  await mkdir(paths.root, { recursive: true, mode: 0o711 });
  await mkdir(paths.state, { recursive: true, mode: 0o711 });
  await writeFile(paths.config, renderConfig(paths));
  await endLeftover(options, paths);
  let launched = launchFirst(options, binary, paths);
  await launched;
  let stopping = false;
  const supervise = async (signal: AbortSignal): Promise<void> => {
    let pauseMs = RESTART_PAUSE_MS.first;
    while (!signal.aborted) {
      try {
        await exitOf(await launched, signal);
        pauseMs = RESTART_PAUSE_MS.first;
      } catch (error) {
        options.log.error(messageOf(error));
        await options.clock.sleep(pauseMs, signal);
        pauseMs = Math.min(pauseMs * 2, RESTART_PAUSE_MS.max);
      }
      if (signal.aborted || stopping) return;
      options.log.warn("containerd ended and is started again; containers run on");
      launched = launch(options, binary, paths);
    }
  };
  return {
    socketPath: paths.socket,
    run: async (signal) => {
      await Promise.all([supervise(signal), keepSmall(paths.log, options, signal)]);
    },
    stop: async () => {
      stopping = true;
      const child = await launched.catch(() => undefined);
      if (child?.pid === undefined || hasExited(child)) return;
      await endProcess(options.clock, child.pid, () => hasExited(child));
    },
  };
}

/** Throws UnavailableError unless a containerd listens there now: its client would wait for one that is about to come. */
export async function requireListener(socketPath: string): Promise<void> {
  const socket = connect(socketPath);
  try {
    await once(socket, "connect");
  } catch (cause) {
    throw new UnavailableError(`nothing listens at ${socketPath}`, { cause });
  } finally {
    socket.destroy();
  }
}

/** Where the containerd of `directory` keeps its files. */
export function containerdPaths(directory: string): ContainerdPaths {
  const isShort = Buffer.byteLength(join(directory, "containerd.sock")) <= SOCKET_PATH_BYTES_MAX;
  const hash = createHash("sha256").update(directory).digest("hex").slice(0, 16);
  const run = isShort ? directory : join("/run", `gantry-${hash}`);
  return {
    root: join(directory, "root"),
    state: join(run, "state"),
    socket: join(run, "containerd.sock"),
    config: join(directory, "config.toml"),
    log: join(directory, "containerd.log"),
    pid: join(directory, "containerd.pid"),
  };
}

/** Removes what a containerd that has ended for good kept outside of `directory`. */
export async function removeOutsideFiles(directory: string): Promise<void> {
  const home = resolve(directory);
  const run = dirname(containerdPaths(home).socket);
  if (run !== home) await rm(run, { recursive: true, force: true });
}

/** TOML's basic strings are escaped as JSON's. Version 2 of the format is read by every containerd since 1.3. */
function renderConfig(paths: ContainerdPaths): string {
  const text = JSON.stringify;
  return `version = 2
root = ${text(paths.root)}
state = ${text(paths.state)}
disabled_plugins = [${DISABLED_PLUGINS.map((name) => text(name)).join(", ")}]

[grpc]
  address = ${text(paths.socket)}

[debug]
  level = "warn"
`;
}

/** One that was killed while it started, by hand or for memory, says nothing of whether it can: it is tried again. */
async function launchFirst(
  options: Options,
  binary: string,
  paths: ContainerdPaths,
): Promise<ChildProcess> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await launch(options, binary, paths);
    } catch (error) {
      if (!(error instanceof KilledError) || tries === FIRST_STARTS_MAX) throw error;
      options.log.warn("containerd was killed while it started and is started again");
    }
  }
}

/** Somebody else ended it by a signal. */
class KilledError extends SetupError {}

async function launch(
  options: Options,
  binary: string,
  paths: ContainerdPaths,
): Promise<ChildProcess> {
  await cutOff(paths.log);
  using _whileStarting = await options.beforeStart?.(paths);
  const log = await open(paths.log, "a", 0o600);
  // Detached: Ctrl-C in the terminal is for Gantry, which then ends containerd in order.
  const child = spawn(binary, ["--config", paths.config], {
    detached: true,
    stdio: ["ignore", log.fd, log.fd],
    // Nothing else of ours: shims inherit it, and our environment may hold the root key.
    env: { PATH: SYSTEM_PATH },
  });
  child.on("error", (error) => options.log.error(`cannot run ${binary}: ${error.message}`));
  await log.close();
  await writeFile(paths.pid, `${child.pid}\n`);
  const ready = new AbortController();
  const exited = exitOf(child, ready.signal).then(() => "exited" as const);
  const answered = waitUntilReady(options, paths.socket, ready.signal);
  const outcome = await Promise.race([exited, answered]).catch(() => "silent" as const);
  ready.abort();
  if (outcome === "answered") return child;
  if (child.signalCode !== null) {
    throw new KilledError(`containerd was killed by ${child.signalCode} while it started`);
  }
  child.kill("SIGKILL");
  const lines = (await readFile(paths.log, "utf8")).trimEnd().split("\n");
  throw new SetupError(`containerd does not start: ${lines.at(-1)} (more in ${paths.log})`);
}

async function waitUntilReady(
  { clock }: Options,
  socketPath: string,
  signal: AbortSignal,
): Promise<"answered"> {
  const client = createContainerdClient({ socketPath, namespace: "gantry", clock });
  try {
    await client.version({ signal, deadlineMs: READY_MS_MAX });
    return "answered";
  } finally {
    client.close();
  }
}

/** Ends the process of the pid file, if it is still a containerd with our configuration and not somebody else's. */
async function endLeftover({ clock, log }: Options, paths: ContainerdPaths): Promise<void> {
  const pid = Number(await readFile(paths.pid, "utf8").catch(() => ""));
  if (!Number.isInteger(pid) || pid <= 1) return;
  const isOurs = async (): Promise<boolean> =>
    (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""))
      .split("\0")
      .includes(paths.config);
  if (!(await isOurs())) return;
  log.info("replacing the containerd that an earlier run left behind", { pid });
  await endProcess(clock, pid, async () => !(await isOurs()));
}

async function endProcess(
  clock: Clock,
  pid: number,
  isGone: () => boolean | Promise<boolean>,
): Promise<void> {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    const giveUpAt = clock.now() + STOP_MS_MAX;
    while (clock.now() < giveUpAt) {
      if (await isGone()) return;
      await clock.sleep(POLL_MS);
    }
  }
}

function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
}

/** Resolves when the process has ended or `signal` aborts, whichever is first. */
async function exitOf(child: ChildProcess, signal: AbortSignal): Promise<void> {
  if (hasExited(child) || signal.aborted) return;
  await once(child, "exit", { signal }).catch(() => undefined);
}

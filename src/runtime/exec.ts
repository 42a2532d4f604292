import { basename } from "node:path";
import { messageOf } from "../lib/errors.ts";
import { detailsOf, isCode, Status, tolerating } from "./containerd/status.ts";
import { asRuntimeError, type Engine, SIGKILL } from "./engine.ts";
import type { OciProcess, OciSpec } from "./oci.ts";
import {
  EXEC_OUTPUT_BYTES_MAX,
  type ExecCommand,
  type ExecResult,
  RuntimeError,
} from "./runtime.ts";

const PROCESS_TYPE_URL = "types.containerd.io/opencontainers/runtime-spec/1/Process";
const WAIT_AGAIN_MS = 100;
/** How long a killed command may take to end; what is left of it ends with its container. */
const KILL_MS_MAX = 5_000;

/** One command in a container, as containerd names it. */
interface Exec {
  readonly id: string;
  readonly execId: string;
}

/** See `Runtime.exec`. */
export async function execInContainer(
  engine: Engine,
  id: string,
  command: ExecCommand,
  signal: AbortSignal,
): Promise<ExecResult | "timedOut"> {
  const { options, pipes } = engine;
  signal.throwIfAborted();
  const process = await processOf(engine, id, command.args);
  const pipe = await pipes.open(EXEC_OUTPUT_BYTES_MAX);
  // containerd knows no two commands of one name in a container, not even those of programs before this one.
  const execId = `exec-${options.clock.now().toString(36)}-${basename(pipe.path)}`;
  let exitCode: number | "timedOut" | undefined;
  let output = "";
  try {
    exitCode = await run(engine, { id, execId }, { process, command, path: pipe.path }, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw asRuntimeError(error);
  } finally {
    output = await pipe.close();
  }
  return exitCode === "timedOut" ? "timedOut" : { exitCode, output };
}

/** The container's own process with other arguments. */
async function processOf(
  { containerd, exits }: Engine,
  id: string,
  args: readonly string[],
): Promise<OciProcess> {
  const container = await containerd.containers.get(id);
  if (container === undefined) throw new RuntimeError(`no such container: ${id}`);
  if (!(await exits.wasStarted(id))) throw new RuntimeError(`container ${id} is not running`);
  const spec = JSON.parse(Buffer.from(container.spec.value).toString("utf8")) as OciSpec;
  return { ...spec.process, args, terminal: false };
}

async function run(
  engine: Engine,
  exec: Exec,
  { process, command, path }: { process: OciProcess; command: ExecCommand; path: string },
  signal: AbortSignal,
): Promise<number | "timedOut"> {
  const { tasks } = engine.containerd;
  const spec = { type_url: PROCESS_TYPE_URL, value: Buffer.from(JSON.stringify(process)) };
  const request = { containerId: exec.id, execId: exec.execId, stdout: path, stderr: path, spec };
  await tolerating([Status.ALREADY_EXISTS], tasks.exec(request));
  const over = new AbortController();
  let pid: number | undefined;
  let isEnded = false;
  try {
    pid = await start(engine, exec);
    const ended = waitForEnd(engine, exec, AbortSignal.any([signal, over.signal]));
    const late = engine.options.clock.sleep(command.timeoutMs, over.signal);
    const outcome = await Promise.race([ended, late.then(() => "timedOut" as const)]);
    ended.catch(() => undefined);
    isEnded = outcome !== "timedOut";
    return outcome;
  } finally {
    over.abort();
    await clear(engine, exec, isEnded, pid);
  }
}

/** A start that was sent again after containerd's restart may find the command running, or ended. */
async function start(
  { containerd: { tasks } }: Engine,
  { id, execId }: Exec,
): Promise<number | undefined> {
  try {
    return await tasks.start(id, execId);
  } catch (error) {
    const process = await tasks.get(id, execId);
    if (process?.status !== "RUNNING") throw error;
    return process.pid;
  }
}

async function waitForEnd(
  { containerd, options }: Engine,
  { id, execId }: Exec,
  signal: AbortSignal,
): Promise<number> {
  for (;;) {
    try {
      return (await containerd.tasks.wait(id, { signal }, execId)).exitStatus;
    } catch (error) {
      signal.throwIfAborted();
      if (!isCode(error, Status.UNAVAILABLE)) throw error;
      options.log.debug("waiting for a command was interrupted", { id, error: detailsOf(error) });
      await options.clock.sleep(WAIT_AGAIN_MS, signal);
    }
  }
}

/** Has the shim forget the command; one that still runs is killed first, with what it has started. */
async function clear(
  { containerd: { tasks }, options }: Engine,
  { id, execId }: Exec,
  isEnded: boolean,
  pid: number | undefined,
): Promise<void> {
  try {
    if (!isEnded) {
      if (pid) killGroup(pid);
      await tasks.kill(id, SIGKILL, false, execId).catch(() => undefined);
      await tasks.wait(id, { deadlineMs: KILL_MS_MAX }, execId);
    }
    await tasks.delete(id, execId);
  } catch (error) {
    options.log.debug("a command stays behind in its container", { id, error: messageOf(error) });
  }
}

/** runc makes a command the leader of a session: its number is nobody else's while one of the group is there. */
function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

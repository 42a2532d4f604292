/**
 * The leaf that changes the kernel's network: commands as plain data in, `ip -batch` / `nft -f` / sysctl files out. Everything else
 * in this folder only plans. Commands of one `run` are one script in a shell that stays, but for those of `ip` where it stays
 * itself.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import type { Clock } from "../lib/clock.ts";
import { busyAtOnce } from "../lib/processors.ts";
import { type ScriptResult, Shells } from "../lib/shells.ts";
import {
  BATCHES_MAX,
  type Batch,
  batches,
  type Command,
  culprit,
  failureOf,
  isRemoval,
  linesOf,
  nameOf,
  programOf,
  removedNamespace,
  scriptOf,
} from "./command.ts";
import { DataplaneError } from "./dataplane.ts";
import { IpSessions } from "./ip-sessions.ts";
import { executableDirectories, findTools, type Tool } from "./tools.ts";

export interface CommandRunner {
  /** Runs the commands in order and stops at the first that fails. Throws DataplaneError with the tool's own words. */
  run(commands: readonly Command[]): Promise<void>;
  /** The JSON that `ip -j …args` prints. Throws DataplaneError. */
  queryIp(namespace: string | undefined, args: readonly string[]): Promise<unknown>;
  /** The JSON that `nft -j …args` prints. Throws DataplaneError. */
  queryNft(args: readonly string[]): Promise<unknown>;
  /** Lets its shells end, when they have done what they were asked for. */
  close(): void;
}

/** Where `ip netns` keeps its namespaces; container engines look here too. */
export const NETNS_DIRECTORY = "/run/netns";

/** Chosen: a command takes milliseconds; one that takes this long hangs in the kernel. */
const COMMAND_TIMEOUT_MS = 30_000;
/** Chosen: `ip -j link` of 10,000 links is about 6 MiB. */
const OUTPUT_BYTES_MAX = 32 * 1024 * 1024;
/** Chosen: scripts at a time, on a machine with as many processors; each keeps one busy. */
const SHELLS_MAX = 8;

export interface CommandRunnerOptions {
  /** Network namespace that stands for the host's; undefined: this process's own. */
  readonly hostNamespacePath: string | undefined;
  /** Where a process of `ip` stays: in namespaces that change with every task. Absent: nowhere. */
  readonly isBusy?: (namespace: string | undefined) => boolean;
  readonly clock: Clock;
}

/** Runs commands on this machine. Throws SetupError when a tool is missing. */
export function createCommandRunner(options: CommandRunnerOptions): CommandRunner {
  return new MachineRunner(options);
}

class MachineRunner implements CommandRunner {
  readonly #options: CommandRunnerOptions;
  readonly #paths = findTools(executableDirectories());
  readonly #shells: Shells;
  readonly #sessions: IpSessions;

  constructor(options: CommandRunnerOptions) {
    const { clock } = options;
    this.#options = options;
    const { sh } = this.#paths;
    const countMax = Math.min(busyAtOnce(), SHELLS_MAX);
    this.#shells = new Shells({ path: sh, env: process.env, countMax, clock });
    this.#sessions = new IpSessions({
      shellPath: sh,
      toolIn: (namespace) => this.#toolIn("ip", namespace),
      pathOf: (namespace) => join(NETNS_DIRECTORY, namespace),
      clock,
    });
  }

  async run(commands: readonly Command[]): Promise<void> {
    for (const removed of commands.flatMap(removedNamespace)) this.#sessions.leave(removed);
    let left = batches(commands);
    while (left.length > 0) left = await this.#runSome(left);
  }

  queryIp(namespace: string | undefined, args: readonly string[]): Promise<unknown> {
    return this.#query(namespace, "ip", args);
  }

  queryNft(args: readonly string[]): Promise<unknown> {
    return this.#query(undefined, "nft", args);
  }

  close(): void {
    this.#shells.close();
    this.#sessions.close();
  }

  /** See `ToolIn`. */
  #toolIn(
    tool: Tool,
    namespace: string | undefined,
    entersItself = false,
  ): readonly [string, ...string[]] {
    const { hostNamespacePath } = this.#options;
    const path = namespace === undefined ? hostNamespacePath : join(NETNS_DIRECTORY, namespace);
    const own = this.#paths[tool];
    if (entersItself && namespace !== undefined) return [own, "-n", namespace];
    return path === undefined ? [own] : [this.#paths.nsenter, `--net=${path}`, "--", own];
  }

  async #query(
    namespace: string | undefined,
    tool: Tool,
    args: readonly string[],
  ): Promise<unknown> {
    const [path, ...before] = this.#toolIn(tool, namespace);
    const output = await spawn(path, [...before, "-j", ...args]);
    if (output.failure !== undefined)
      throw failed(namespace, `${tool} ${args.join(" ")}`, output.failure);
    return output.stdout.trim() === "" ? [] : JSON.parse(output.stdout);
  }

  /** Runs the first batch where `ip` stays, else as many as one script may have, up to the first that fails. Returns what is left. */
  async #runSome(all: readonly Batch[]): Promise<readonly Batch[]> {
    const next = all.findIndex((batch) => this.#isForSession(batch));
    const [first] = all;
    if (next === 0 && first !== undefined) {
      await this.#runInSession(first);
      return all.slice(1);
    }
    const some = all.slice(0, next === -1 ? BATCHES_MAX : Math.min(next, BATCHES_MAX));
    return [...(await this.#runScript(some)), ...all.slice(some.length)];
  }

  /** What is to be removed may be gone already, which ends an `ip` that does not go on by force. */
  #isForSession([first]: Batch): boolean {
    const { isBusy } = this.#options;
    return first.tool === "ip" && !isRemoval(first) && isBusy?.(first.namespace) === true;
  }

  async #runInSession(batch: Batch): Promise<void> {
    const { namespace } = batch[0];
    const failure = await this.#sessions.run(namespace, linesOf(batch), COMMAND_TIMEOUT_MS);
    if (failure === undefined) return;
    throw failed(namespace, nameOf(batch[failure.line] ?? batch[0]), failure.text);
  }

  /** Returns what is left behind a removal that found nothing. */
  async #runScript(some: readonly Batch[]): Promise<readonly Batch[]> {
    const { output, status } = await this.#runTogether(some);
    if (status === 0) return [];
    const done = Math.min(status ?? 1, some.length);
    const batch = some[done - 1];
    const failure = batch && failureOf(batch, output.trim() || `exit status ${status}`);
    if (batch !== undefined && failure !== undefined)
      throw failed(batch[0].namespace, culprit(batch, failure), failure);
    return some.slice(done);
  }

  /** A status other than 0: that of the first batch to fail, from 1 on; of one that is alone, any. */
  #runTogether(some: readonly Batch[]): Promise<ScriptResult> {
    const toolIn: Parameters<typeof programOf>[1] = (...place) => this.#toolIn(...place);
    const [first] = some;
    if (first !== undefined && some.length === 1) {
      const { input, words } = programOf(first, toolIn);
      return this.#shells.command(words, input, COMMAND_TIMEOUT_MS);
    }
    const { args, script } = scriptOf(some, toolIn);
    return this.#shells.run(script, args, COMMAND_TIMEOUT_MS);
  }
}

interface Output {
  readonly stdout: string;
  /** What the tool said, when it failed. */
  readonly failure: string | undefined;
}

function spawn(path: string, args: readonly string[]): Promise<Output> {
  return new Promise((resolve) => {
    execFile(
      path,
      args,
      // A real timer: it watches a process, and no decision depends on it.
      { timeout: COMMAND_TIMEOUT_MS, maxBuffer: OUTPUT_BYTES_MAX, killSignal: "SIGKILL" },
      (error, stdout, stderr) => {
        if (error === null) return resolve({ stdout, failure: undefined });
        const reason = error.killed === true ? `no end after ${COMMAND_TIMEOUT_MS} ms` : "";
        resolve({ stdout, failure: stderr.trim() || reason || error.message });
      },
    );
  });
}

function failed(namespace: string | undefined, command: string, stderr: string): DataplaneError {
  const where = namespace === undefined ? "" : ` in ${namespace}`;
  const text = stderr.replace(/\n?Command failed -:\d+/g, "").trim();
  return new DataplaneError(`${command}${where}: ${text}`);
}

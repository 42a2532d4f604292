/**
 * The leaf that changes the kernel's network: commands as plain data in, `ip -batch` / `nft -f` / sysctl files out. Everything else
 * in this folder only plans. Commands of one `run` are one script in a shell that stays, but for those of `ip` where it stays itself. `nsenter` rather than `ip -n` or `ip netns exec`: those also make a mount namespace and a new
 * /sys, which costs more than the command and hides new namespaces from everybody else.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import type { Clock } from "../lib/clock.ts";
import { assert } from "../lib/errors.ts";
import { Shells } from "../lib/shells.ts";
import { DataplaneError } from "./dataplane.ts";
import { IpSessions } from "./ip-sessions.ts";
import { executableDirectories, findTools, type Tool } from "./tools.ts";

/** One change. `namespace` is a name below /run/netns; undefined is the host's. */
export type Command = IpCommand | NftCommand | SysctlCommand | ConntrackCommand;

export interface IpCommand {
  /** `bridge` is iproute2's second tool: forwarding tables. */
  readonly tool: "ip" | "bridge";
  readonly namespace: string | undefined;
  readonly args: readonly string[];
  /** For deletions: what is gone already is a success. */
  readonly absentIsFine?: boolean;
}

export interface NftCommand {
  readonly tool: "nft";
  readonly namespace: string | undefined;
  readonly script: string;
}

export interface SysctlCommand {
  readonly tool: "sysctl";
  readonly namespace: string | undefined;
  /** Below /proc/sys: `net/ipv4/ip_forward`. */
  readonly path: string;
  readonly value: string;
}

export interface ConntrackCommand {
  readonly tool: "conntrack";
  readonly namespace: string | undefined;
  /** Deletes what matches; that nothing does is a success. */
  readonly args: readonly ["-D", ...string[]];
}

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
/** Chosen: scripts at a time; each keeps one core busy. */
const SHELLS_MAX = 8;
/** An exit status says which batch of a script has failed, from 1 on. */
const BATCHES_MAX = 100;
const END_OF_INPUT = "__END_OF_INPUT__";

/** Writes what is not so yet: rewriting `ip_forward` would reset other settings, and /proc/sys may be read-only. */
const SYSCTL_SCRIPT = `while read -r path value; do
  now=$(cat "/proc/sys/$path") || exit 1
  [ "$now" = "$value" ] || echo "$value" > "/proc/sys/$path" || exit 1
done`;

/**
 * Runs commands on this machine, where "the host" is the network namespace at `hostNamespacePath`, or this process's own.
 * `isBusy`: where a process of `ip` stays, in the host's and others' that change with every task. Throws SetupError when a tool
 * is missing.
 */
export function createCommandRunner(options: {
  readonly hostNamespacePath: string | undefined;
  readonly isBusy?: (namespace: string | undefined) => boolean;
  readonly clock: Clock;
}): CommandRunner {
  const { isBusy = () => false } = options;
  const paths = findTools(executableDirectories());
  const shells = new Shells({
    path: paths.sh,
    env: process.env,
    countMax: SHELLS_MAX,
    clock: options.clock,
  });
  /** The tool in the namespace, as words. */
  const toolIn: ToolIn = (tool, namespace) => {
    const path =
      namespace === undefined ? options.hostNamespacePath : join(NETNS_DIRECTORY, namespace);
    return path === undefined ? [paths[tool]] : [paths.nsenter, `--net=${path}`, "--", paths[tool]];
  };
  const sessions = new IpSessions({
    shellPath: paths.sh,
    toolIn: (namespace) => toolIn("ip", namespace),
    pathOf: (namespace) => join(NETNS_DIRECTORY, namespace),
    clock: options.clock,
  });
  const staysFor = ([{ namespace, tool, ...first }]: Batch): boolean =>
    tool === "ip" && !("absentIsFine" in first && first.absentIsFine) && isBusy(namespace);
  const query = async (
    namespace: string | undefined,
    tool: Tool,
    args: readonly string[],
  ): Promise<unknown> => {
    const [path, ...before] = toolIn(tool, namespace);
    const output = await spawn(path, [...before, "-j", ...args]);
    if (output.failure !== undefined)
      throw failed(namespace, `${tool} ${args.join(" ")}`, output.failure);
    return output.stdout.trim() === "" ? [] : JSON.parse(output.stdout);
  };
  /** Runs as many batches as one script may have, or one where `ip` stays, up to the first that fails. Returns those that are left. */
  const runSome = async (all: readonly Batch[]): Promise<readonly Batch[]> => {
    const stays = all.findIndex(staysFor);
    const [first] = all;
    if (stays === 0 && first !== undefined) {
      const { namespace } = first[0];
      const failure = await sessions.run(namespace, linesOf(first), COMMAND_TIMEOUT_MS);
      if (failure === undefined) return all.slice(1);
      throw failed(namespace, nameOf(first[failure.line] ?? first[0]), failure.text);
    }
    const some = all.slice(0, stays === -1 ? BATCHES_MAX : Math.min(stays, BATCHES_MAX));
    const { script, args } = scriptOf(some, toolIn);
    const { output, status } = await shells.run(script, args, COMMAND_TIMEOUT_MS);
    if (status === 0) return all.slice(some.length);
    const done = Math.min(status ?? 1, some.length);
    const batch = some[done - 1];
    const failure = batch && failureOf(batch, output.trim() || `exit status ${status}`);
    if (batch !== undefined && failure !== undefined)
      throw failed(batch[0].namespace, culprit(batch, failure), failure);
    return all.slice(done);
  };
  return {
    run: async (commands) => {
      for (const removed of commands.flatMap(removedNamespace)) sessions.leave(removed);
      let left = batches(commands);
      while (left.length > 0) left = await runSome(left);
    },
    queryIp: (namespace, args) => query(namespace, "ip", args),
    queryNft: (args) => query(undefined, "nft", args),
    close: () => {
      shells.close();
      sessions.close();
    },
  };
}

type ToolIn = (tool: Tool, namespace: string | undefined) => readonly [string, ...string[]];

/** Batches one after the other; the first that fails ends it, with its number as the exit status. */
function scriptOf(
  all: readonly Batch[],
  toolIn: ToolIn,
): { readonly script: string; readonly args: readonly string[] } {
  const lines: string[] = [];
  const args: string[] = [];
  for (const [index, batch] of all.entries()) {
    const { input, tool, words } = invocation(batch);
    const invoked = [...toolIn(tool, batch[0].namespace), ...words].map((word) => {
      args.push(word);
      return `"\${${args.length}}"`;
    });
    // One that is alone takes the script's place, which spares a process: any failure is the first's.
    const call = all.length === 1 ? ["exec", ...invoked] : invoked;
    const otherwise = all.length === 1 ? "" : ` || exit ${index + 1}`;
    lines.push(`${call.join(" ")} >/dev/null <<'${END_OF_INPUT}'${otherwise}`, input, END_OF_INPUT);
  }
  return { script: lines.join("\n"), args };
}

type Batch = readonly [Command, ...Command[]];

/** The namespace that a command removes. */
function removedNamespace(command: Command): readonly string[] {
  if (command.tool !== "ip") return [];
  const [object, verb, name] = command.args;
  return object === "netns" && verb === "del" && name !== undefined ? [name] : [];
}

/** Neighbours that one process can run together. */
export function batches(commands: readonly Command[]): readonly Batch[] {
  const result: [Command, ...Command[]][] = [];
  for (const command of commands) {
    const last = result.at(-1);
    if (last !== undefined && batchable(last[0], command)) last.push(command);
    else result.push([command]);
  }
  return result;
}

function batchable(a: Command, b: Command): boolean {
  if (a.namespace !== b.namespace || a.tool !== b.tool || a.tool === "nft") return false;
  return isRemoval(a) === isRemoval(b);
}

/** Whether what is gone already is a success. */
function isRemoval(command: Command): boolean {
  return "absentIsFine" in command && command.absentIsFine === true;
}

/** The tool, what follows its name, and what it reads. */
function invocation(batch: Batch): { tool: Tool; words: readonly string[]; input: string } {
  const [first] = batch;
  const input = linesOf(batch).join("\n");
  assert(!input.includes(END_OF_INPUT), "a command with the end of all input in it");
  switch (first.tool) {
    case "ip":
    case "bridge":
      return {
        tool: first.tool,
        words: isRemoval(first) ? ["-force", "-batch", "-"] : ["-batch", "-"],
        input,
      };
    case "nft":
      return { tool: "nft", words: ["-f", "-"], input };
    case "conntrack":
      return { tool: "conntrack", words: ["--load-file", "-"], input };
    case "sysctl":
      return { tool: "sh", words: ["-c", SYSCTL_SCRIPT], input };
  }
}

/** Each command as the tool reads it. No word of it is more than a word. */
function linesOf(batch: Batch): readonly string[] {
  const { namespace } = batch[0];
  assert(namespace === undefined || /^[\w.-]+$/.test(namespace), `namespace name ${namespace}`);
  return batch.map(textOf);
}

/** The command as one line for people and for the tool. */
function textOf(command: Command): string {
  switch (command.tool) {
    case "ip":
    case "bridge":
    case "conntrack":
      for (const arg of command.args)
        assert(/^[\w.:/+-]+$/.test(arg), `argument ${JSON.stringify(arg)} of ${command.tool}`);
      return command.args.join(" ");
    case "nft":
      return command.script;
    case "sysctl":
      return `${command.path} ${command.value}`;
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

const ABSENT = /Cannot find device|No such file or directory|No such device|No such process/;

/** Undefined: of what was to be removed, nothing was there. */
function failureOf([first]: Batch, failure: string): string | undefined {
  if (!isRemoval(first)) return failure;
  const rest = failure
    .split("\n")
    .filter((line) => !ABSENT.test(line) && !line.startsWith("Command failed"));
  return rest.length === 0 ? undefined : rest.join("\n");
}

/** The line that `ip -batch` stopped at, by its `Command failed -:3`. */
function culprit(batch: Batch, failure: string): string {
  const line = /Command failed -:(\d+)/.exec(failure)?.[1];
  return nameOf(batch[line === undefined ? 0 : Number(line) - 1] ?? batch[0]);
}

function nameOf(command: Command): string {
  return `${command.tool} ${command.tool === "nft" ? "-f" : textOf(command)}`;
}

function failed(namespace: string | undefined, command: string, stderr: string): DataplaneError {
  const where = namespace === undefined ? "" : ` in ${namespace}`;
  const text = stderr.replace(/\n?Command failed -:\d+/g, "").trim();
  return new DataplaneError(`${command}${where}: ${text}`);
}

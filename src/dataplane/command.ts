/**
 * Changes of the network as plain data, and how their tools are told of them: which go together, how they are spelled, which
 * one it was that failed. Pure.
 */
import { assert } from "../lib/errors.ts";
import { reading } from "../lib/shells.ts";
import type { Tool } from "./tools.ts";

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

/** An exit status says which batch of a script has failed, from 1 on. */
export const BATCHES_MAX = 100;

/** Writes what is not so yet: rewriting `ip_forward` would reset other settings, and /proc/sys may be read-only. */
const SYSCTL_SCRIPT = `while read -r path value; do
  now=$(cat "/proc/sys/$path") || exit 1
  [ "$now" = "$value" ] || echo "$value" > "/proc/sys/$path" || exit 1
done`;

/** The tool in a namespace, as words. `entersItself`: it can go there by an option of its own. */
type ToolIn = (
  tool: Tool,
  namespace: string | undefined,
  entersItself: boolean,
) => readonly [string, ...string[]];

/** One batch as a program, by its path, and what it reads. */
export function programOf(
  batch: Batch,
  toolIn: ToolIn,
): { readonly words: readonly string[]; readonly input: string } {
  const { input, tool, words } = invocation(batch);
  return { words: [...toolIn(tool, batch[0].namespace, mayEnterItself(batch)), ...words], input };
}

/** Batches one after the other; the first that fails ends it, with its number as the exit status. */
export function scriptOf(
  all: readonly Batch[],
  toolIn: ToolIn,
): { readonly script: string; readonly args: readonly string[] } {
  const parts: string[] = [];
  const args: string[] = [];
  for (const [index, batch] of all.entries()) {
    const { input, words } = programOf(batch, toolIn);
    const called = words.map((word) => {
      args.push(word);
      return `"\${${args.length}}"`;
    });
    parts.push(reading(`${called.join(" ")} >/dev/null`, input, ` || exit ${index + 1}`));
  }
  return { script: parts.join("\n"), args };
}

/**
 * `ip -n` and `bridge -n` spare the program that would take them there. They also make a mount namespace of their own, in which a
 * new network namespace would be for nobody else to see.
 */
function mayEnterItself(batch: Batch): boolean {
  return batch.every(({ tool, ...command }) => {
    if (tool !== "ip" && tool !== "bridge") return false;
    return "args" in command && command.args[0] !== "netns";
  });
}

/** Commands that one process runs together. */
export type Batch = readonly [Command, ...Command[]];

/** The namespace that a command removes. */
export function removedNamespace(command: Command): readonly string[] {
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
export function isRemoval(command: Command): boolean {
  return "absentIsFine" in command && command.absentIsFine === true;
}

/** The tool, what follows its name, and what it reads. */
function invocation(batch: Batch): { tool: Tool; words: readonly string[]; input: string } {
  const [first] = batch;
  const input = linesOf(batch).join("\n");
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
export function linesOf(batch: Batch): readonly string[] {
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

const ABSENT = /Cannot find device|No such file or directory|No such device|No such process/;

/** Undefined: of what was to be removed, nothing was there. */
export function failureOf([first]: Batch, failure: string): string | undefined {
  if (!isRemoval(first)) return failure;
  const rest = failure
    .split("\n")
    .filter((line) => !ABSENT.test(line) && !line.startsWith("Command failed"));
  return rest.length === 0 ? undefined : rest.join("\n");
}

/** The line that `ip -batch` stopped at, by its `Command failed -:3`. */
export function culprit(batch: Batch, failure: string): string {
  const line = /Command failed -:(\d+)/.exec(failure)?.[1];
  return nameOf(batch[line === undefined ? 0 : Number(line) - 1] ?? batch[0]);
}

/** The command as messages name it. */
export function nameOf(command: Command): string {
  return `${command.tool} ${command.tool === "nft" ? "-f" : textOf(command)}`;
}

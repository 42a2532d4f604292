import { type Environment, readSettings } from "../config.ts";
import { util } from "../lib/builtins.ts";
import { SetupError } from "../lib/errors.ts";
import { SETTINGS } from "../settings.ts";
import { type Command, type Invocation, usageOf } from "./command.ts";

/** What a command line asks for. */
export type Request =
  | { readonly kind: "help"; readonly command: Command | undefined }
  | { readonly kind: "nothing" }
  | { readonly kind: "run"; readonly command: Command; readonly invocation: Invocation };

type Options = Record<string, { type: "string" | "boolean"; short?: string }>;

const HELP: Options = { help: { type: "boolean", short: "h" } };

/**
 * Reads a command line (without the program's own name) and the environment. Flags may stand before or behind the
 * command. Throws SetupError, which names what is wrong and where the help is.
 */
export function readCommandLine(
  args: readonly string[],
  environment: Environment,
  commands: readonly Command[],
): Request {
  const at = commandIndex(args);
  const name = args[at];
  if (name === undefined) {
    const { values } = parse(args, { ...HELP, version: { type: "boolean" } }, undefined);
    if (values.version === true) return readCommandLine(["version"], environment, commands);
    return values.help === true ? { kind: "help", command: undefined } : { kind: "nothing" };
  }
  const behind = args.slice(at + 1);
  if (name === "help") {
    return { kind: "help", command: behind[0] ? find(commands, behind[0]) : undefined };
  }
  const command = find(commands, name);
  const own = [...args.slice(0, at), ...(command.passesOn ? [] : behind)];
  const { values, positionals } = parse(own, { ...HELP, ...optionsOf(command) }, command);
  if (values.help === true) return { kind: "help", command };
  const words = command.passesOn ? behind : positionals;
  if (!command.passesOn) checkWords(command, words);
  const switches = new Set(Object.keys(command.switches).filter((flag) => values[flag] === true));
  const settings = readSettings(values, environment);
  return { kind: "run", command, invocation: { settings, words, switches } };
}

/** Where the command stands: the first word that is neither a flag nor the value of one. */
function commandIndex(args: readonly string[]): number {
  const options: Options = Object.fromEntries(
    Object.values(SETTINGS).map(({ flag }) => [flag, { type: "string" }]),
  );
  const { tokens } = util.parseArgs({
    args: [...args],
    options,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  return tokens.find(({ kind }) => kind === "positional")?.index ?? args.length;
}

function find(commands: readonly Command[], name: string): Command {
  const command = commands.find((one) => one.name === name);
  if (command === undefined)
    throw new SetupError(`there is no command '${name}'. See 'gantry --help'.`);
  return command;
}

function optionsOf(command: Command): Options {
  const options: Options = {};
  for (const name of command.settings) options[SETTINGS[name].flag] = { type: "string" };
  for (const flag of Object.keys(command.switches)) options[flag] = { type: "boolean" };
  return options;
}

function parse(
  args: readonly string[],
  options: Options,
  command: Command | undefined,
): { values: Record<string, unknown>; positionals: string[] } {
  try {
    return util.parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (cause) {
    // Node explains at length how to pass words that begin with a dash; nothing here takes any.
    const reason = cause instanceof Error ? cause.message.split(". ")[0] : String(cause);
    const help = command === undefined ? "gantry --help" : `gantry ${command.name} --help`;
    throw new SetupError(`${reason}. See '${help}'.`, { cause });
  }
}

function checkWords(command: Command, words: readonly string[]): void {
  const fits = command.words.every((expected, index) => {
    const word = words[index];
    if (word === undefined) return expected.startsWith("[");
    const isPlaceholder = expected === expected.toUpperCase();
    return word !== "" && (isPlaceholder || expected.split("|").includes(word));
  });
  if (fits && words.length <= command.words.length) return;
  throw new SetupError(`usage: ${usageOf(command)}. See 'gantry ${command.name} --help'.`);
}

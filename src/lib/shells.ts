/**
 * Shells that stay, to run short scripts of system programs. A process started from here costs what this program's memory
 * costs to fork: 8–18 ms of its one thread at 100 MB, the page faults afterwards included. From a shell it costs half of one.
 */
import type { Clock } from "./clock.ts";
import { Coprocess } from "./coprocess.ts";
import { assert } from "./errors.ts";
import { Permits } from "./turns.ts";

export interface ShellsOptions {
  /** A POSIX shell. */
  readonly path: string;
  readonly env: NodeJS.ProcessEnv;
  /** How many scripts run at a time. */
  readonly countMax: number;
  readonly clock: Clock;
}

export interface ScriptResult {
  /** Exit status of the script; undefined: it did not come to its end, and `output` says why. */
  readonly status: number | undefined;
  /** What it wrote, standard error included. */
  readonly output: string;
}

/** Runs scripts side by side, in shells that start when they are needed. They end with this process, however it ends. */
export class Shells {
  readonly #options: ShellsOptions;
  readonly #permits: Permits;
  readonly #idle: Shell[] = [];
  #isClosed = false;

  constructor(options: ShellsOptions) {
    this.#options = options;
    this.#permits = new Permits(options.countMax);
  }

  /** Runs `script`, in which `args` are `$1` and so on. Its standard input is empty. */
  run(script: string, args: readonly string[], timeoutMs: number): Promise<ScriptResult> {
    return this.#run(framed(script, args), timeoutMs);
  }

  /**
   * Runs one program, by its path, that reads `input`. What it writes is dropped, but for standard error. Costs four fifths of a
   * script with this program in it: a shell that keeps nothing from the program need not copy itself.
   */
  command(words: readonly string[], input: string, timeoutMs: number): Promise<ScriptResult> {
    const program = `${words.map(quoted).join(" ")} >/dev/null`;
    return this.#run(`${reading(program, input)}\n${END}`, timeoutMs);
  }

  #run(text: string, timeoutMs: number): Promise<ScriptResult> {
    return this.#permits.use(async () => {
      const shell = this.#idle.pop() ?? new Shell(this.#options);
      const result = await shell.run(text, timeoutMs);
      if (this.#isClosed) shell.end();
      else if (shell.isAlive) this.#idle.push(shell);
      return result;
    });
  }

  /** Lets the shells end that have nothing to do, and the others when they have done it. */
  close(): void {
    this.#isClosed = true;
    for (const shell of this.#idle.splice(0)) shell.end();
  }
}

/** One script at a time. */
class Shell {
  readonly #process: Coprocess;

  constructor({ clock, env, path }: ShellsOptions) {
    this.#process = new Coprocess({ path, args: [], env, clock, isWhole, endsWith: "exit" });
    this.#process.tell("exec 2>&1\n");
  }

  get isAlive(): boolean {
    return this.#process.isAlive;
  }

  /** Runs a text that says its status by {@link END}. */
  async run(text: string, timeoutMs: number): Promise<ScriptResult> {
    const { lost, output } = await this.#process.ask(text, timeoutMs);
    if (lost !== undefined) return { status: undefined, output: lost };
    const end = output.indexOf(END_MARK);
    return {
      status: Number(output.slice(end + END_MARK.length)),
      output: output.slice(0, end),
    };
  }

  end(): void {
    this.#process.end();
  }
}

/** A byte that no text has, followed by the status and a line's end. */
const END_MARK = "\0";
const END = "printf '\\000%d\\n' $?\n";
const END_OF_INPUT = "__END_OF_INPUT__";

/** A part of a script: a command that reads `input`. `after`: what follows it on its line. */
export function reading(command: string, input: string, after = ""): string {
  assert(!input.includes(END_OF_INPUT), "an input with the end of all input in it");
  return `${command} <<'${END_OF_INPUT}'${after}\n${input}\n${END_OF_INPUT}`;
}

function isWhole(output: string): boolean {
  return output.includes(END_MARK) && output.endsWith("\n");
}

/** In a subshell, so that a script may exit and set what it likes. */
function framed(script: string, args: readonly string[]): string {
  const words = args.map((arg) => ` ${quoted(arg)}`).join("");
  return `(\nset --${words}\n${script}\n) </dev/null\n${END}`;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

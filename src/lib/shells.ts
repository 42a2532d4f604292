/**
 * Shells that stay, to run short scripts of system programs. A process started from here costs what this program's memory
 * costs to fork: 8–18 ms of its one thread at 100 MB, the page faults afterwards included. From a shell it costs half of one.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import type { Clock } from "./clock.ts";
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

/** Chosen: tools say little; one that does not stop is broken. */
const OUTPUT_BYTES_MAX = 1024 * 1024;

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
    return this.#permits.use(async () => {
      const shell = this.#idle.pop() ?? new Shell(this.#options);
      const result = await shell.run(script, args, timeoutMs);
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
  readonly #clock: Clock;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  #output = "";
  #done: ((result: ScriptResult) => void) | undefined;
  #lost: string | undefined;

  constructor({ clock, env, path }: ShellsOptions) {
    this.#clock = clock;
    // A process group of its own: Ctrl-C is for us, and what hangs is killed with the shell.
    this.#child = spawn(path, [], {
      cwd: "/",
      env,
      detached: true,
      stdio: ["pipe", "pipe", "ignore"],
    });
    this.#child.stdout.setEncoding("utf8");
    this.#child.stdout.on("data", (text: string) => this.#read(text));
    this.#child.stdin.on("error", () => undefined);
    this.#child.on("error", (error) => this.#lose(error.message));
    // Not "close": what it has started may hold its output open.
    this.#child.on("exit", () => this.#lose("the shell was ended from outside"));
    this.#child.stdin.write("exec 2>&1\n");
  }

  get isAlive(): boolean {
    return this.#lost === undefined;
  }

  async run(script: string, args: readonly string[], timeoutMs: number): Promise<ScriptResult> {
    const { promise, resolve } = Promise.withResolvers<ScriptResult>();
    const over = new AbortController();
    this.#output = "";
    this.#done = resolve;
    this.#holdProcess(true);
    void this.#clock.sleep(timeoutMs, over.signal).then(() => {
      if (!over.signal.aborted) this.#kill(`no end after ${timeoutMs} ms`);
    });
    if (this.#lost !== undefined) this.#settle({ status: undefined, output: this.#lost });
    else this.#child.stdin.write(framed(script, args));
    const result = await promise;
    over.abort();
    this.#holdProcess(false);
    return result;
  }

  end(): void {
    this.#child.stdin.end();
  }

  #read(text: string): void {
    this.#output += text;
    const end = this.#output.indexOf(END_MARK);
    if (end !== -1 && this.#output.endsWith("\n")) {
      const status = Number(this.#output.slice(end + END_MARK.length));
      this.#settle({ status, output: this.#output.slice(0, end) });
    } else if (this.#output.length > OUTPUT_BYTES_MAX) this.#kill("too much output");
  }

  #settle(result: ScriptResult): void {
    this.#done?.(result);
    this.#done = undefined;
  }

  #kill(reason: string): void {
    this.#lose(reason);
    const { pid } = this.#child;
    // Not yet reaped, so the number is still its own.
    if (pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null) {
      process.kill(-pid, "SIGKILL");
    }
  }

  #lose(reason: string): void {
    this.#lost ??= reason;
    this.#settle({ status: undefined, output: this.#lost });
  }

  /** An idle shell is no reason for this process to go on. */
  #holdProcess(isHeld: boolean): void {
    // Pipes of a child are sockets.
    for (const one of [this.#child, this.#child.stdin as Socket, this.#child.stdout as Socket]) {
      if (isHeld) one.ref();
      else one.unref();
    }
  }
}

/** A byte that no text has, followed by the status and a line's end. */
const END_MARK = "\0";

/** In a subshell, so that a script may exit and set what it likes. */
function framed(script: string, args: readonly string[]): string {
  const words = args.map((arg) => ` '${arg.replaceAll("'", "'\\''")}'`).join("");
  return `(\nset --${words}\n${script}\n) </dev/null\nprintf '\\000%d\\n' $?\n`;
}

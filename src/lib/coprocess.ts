import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import type { Clock } from "./clock.ts";

export interface CoprocessOptions {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  /** Whether this is all of an answer. */
  readonly isWhole: (output: string) => boolean;
  /**
   * What ends it. `exit`: the process alone, because what it has started may hold its output open. `close`: also its output,
   * so that nothing is missed of what it said last.
   */
  readonly endsWith: "exit" | "close";
}

export interface Answer {
  /** What it wrote on its standard output. */
  readonly output: string;
  /** Why this is not all of an answer; undefined: it is. */
  readonly lost: string | undefined;
}

/** Chosen: tools say little; one that does not stop is broken. */
const OUTPUT_BYTES_MAX = 1024 * 1024;

/**
 * A program that stays, and is told and answers one thing after the other. It ends with this process, however that ends, by
 * the end of its input.
 */
export class Coprocess {
  readonly #options: CoprocessOptions;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  #output = "";
  #done: ((answer: Answer) => void) | undefined;
  #lost: string | undefined;

  constructor(options: CoprocessOptions) {
    this.#options = options;
    const { args, endsWith, env, path } = options;
    // A process group of its own: Ctrl-C is for us, and what hangs is killed with the program.
    this.#child = spawn(path, args, {
      cwd: "/",
      env,
      detached: true,
      stdio: ["pipe", "pipe", "ignore"],
    });
    this.#child.stdout.setEncoding("utf8");
    this.#child.stdout.on("data", (text: string) => this.#read(text));
    this.#child.stdin.on("error", () => undefined);
    this.#child.on("error", (error) => this.#lose(error.message));
    this.#child.on(endsWith, () => this.#lose("the program was ended from outside"));
  }

  get isAlive(): boolean {
    return this.#lost === undefined;
  }

  /** Says something to which there is no answer. */
  tell(text: string): void {
    this.#child.stdin.write(text);
  }

  /** Asks one thing. Not to be called before the former is answered. */
  async ask(text: string, timeoutMs: number): Promise<Answer> {
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const over = new AbortController();
    this.#output = "";
    this.#done = resolve;
    this.#holdProcess(true);
    void this.#options.clock.sleep(timeoutMs, over.signal).then(() => {
      if (!over.signal.aborted) this.#kill(`no end after ${timeoutMs} ms`);
    });
    if (this.#lost !== undefined) this.#settle(this.#lost);
    else this.#child.stdin.write(text);
    const answer = await promise;
    over.abort();
    this.#holdProcess(false);
    return answer;
  }

  /** Lets it end when it has done what it was told. */
  end(): void {
    this.#child.stdin.end();
  }

  #read(text: string): void {
    this.#output += text;
    if (this.#options.isWhole(this.#output)) this.#settle(undefined);
    else if (this.#output.length > OUTPUT_BYTES_MAX) this.#kill("too much output");
  }

  #settle(lost: string | undefined): void {
    this.#done?.({ output: this.#output, lost });
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
    this.#settle(this.#lost);
  }

  /** One that is idle is no reason for this process to go on. */
  #holdProcess(isHeld: boolean): void {
    // Pipes of a child are sockets.
    for (const one of [this.#child, this.#child.stdin as Socket, this.#child.stdout as Socket]) {
      if (isHeld) one.ref();
      else one.unref();
    }
  }
}

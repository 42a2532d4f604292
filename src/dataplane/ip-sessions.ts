/**
 * `ip -batch` processes that stay in the namespaces where nearly every change has a part: a command in one costs a tenth of a
 * process of its own. Each ends with the first command that fails, as `ip` does, and the next command gets a new one.
 */
import { statSync } from "node:fs";
import type { Clock } from "../lib/clock.ts";
import { Coprocess } from "../lib/coprocess.ts";
import { KeyedTurns } from "../lib/turns.ts";

export interface IpSessionsOptions {
  /** A POSIX shell. */
  readonly shellPath: string;
  /** `ip` in a namespace, as words; undefined: the host's. */
  readonly toolIn: (namespace: string | undefined) => readonly string[];
  /** The file that a namespace is mounted on. */
  readonly pathOf: (namespace: string) => string;
  readonly clock: Clock;
}

/** What `ip` said of the line it stopped at. */
export interface IpFailure {
  readonly text: string;
  /** Index among the lines it was given. */
  readonly line: number;
}

/** Chosen: `ip` remembers every link it has met; some hundred bytes each. */
const RUNS_MAX = 1_000;
/** Its answer is the end of everything before it. Every namespace has a loopback, always with number 1. */
const LAST_LINE = "link show dev lo";
const LAST_ANSWER = /^1: lo: .*\n/m;

export class IpSessions {
  readonly #options: IpSessionsOptions;
  readonly #turns = new KeyedTurns();
  readonly #sessions = new Map<string, Session>();
  #isClosed = false;

  constructor(options: IpSessionsOptions) {
    this.#options = options;
  }

  /** Runs lines that print nothing, up to the first that fails. */
  run(
    namespace: string | undefined,
    lines: readonly string[],
    timeoutMs: number,
  ): Promise<IpFailure | undefined> {
    const key = namespace ?? "";
    return this.#turns.take(key, async () => {
      const isNew = this.#sessions.get(key)?.isUsable !== true;
      const failure = await this.#runOnce(namespace, lines, timeoutMs);
      if (failure === undefined || isNew) return failure;
      // It knows a link by its number, and of the same name there may be another by now: a new process looks.
      const { line } = failure;
      const again = await this.#runOnce(namespace, lines.slice(line), timeoutMs);
      return again && { text: again.text, line: line + again.line };
    });
  }

  /** Ends the session in a namespace, which would keep that from going away. */
  leave(namespace: string | undefined): void {
    const key = namespace ?? "";
    this.#sessions.get(key)?.end();
    this.#sessions.delete(key);
  }

  /** Ends all sessions; from now on each ends when it has done what it was opened for. */
  close(): void {
    this.#isClosed = true;
    for (const session of this.#sessions.values()) session.end();
    this.#sessions.clear();
  }

  async #runOnce(
    namespace: string | undefined,
    lines: readonly string[],
    timeoutMs: number,
  ): Promise<IpFailure | undefined> {
    const session = this.#open(namespace);
    const failure = await session.run(lines, timeoutMs);
    if (this.#isClosed || !session.isUsable) this.leave(namespace);
    return failure;
  }

  #open(namespace: string | undefined): Session {
    const key = namespace ?? "";
    const { clock, pathOf, shellPath, toolIn } = this.#options;
    const inode = namespace === undefined ? undefined : inodeOf(pathOf(namespace));
    const known = this.#sessions.get(key);
    // Of that name there may be another one by now.
    if (known?.isUsable && known.inode === inode) return known;
    known?.end();
    const words = [...toolIn(namespace), "-oneline", "-batch", "-"];
    const session = new Session({ shellPath, words, inode, clock });
    this.#sessions.set(key, session);
    return session;
  }
}

class Session {
  readonly inode: number | undefined;
  readonly #process: Coprocess;
  #runs = 0;
  #linesBefore = 0;

  constructor(options: {
    readonly shellPath: string;
    readonly words: readonly string[];
    readonly inode: number | undefined;
    readonly clock: Clock;
  }) {
    this.inode = options.inode;
    this.#process = new Coprocess({
      path: options.shellPath,
      // One pipe for both outputs keeps their order.
      args: ["-c", 'exec "$@" 2>&1', "sh", ...options.words],
      env: process.env,
      clock: options.clock,
      isWhole: (output) => LAST_ANSWER.test(output),
      endsWith: "close",
    });
  }

  get isUsable(): boolean {
    return this.#process.isAlive && this.#runs < RUNS_MAX;
  }

  async run(lines: readonly string[], timeoutMs: number): Promise<IpFailure | undefined> {
    const before = this.#linesBefore;
    this.#runs++;
    this.#linesBefore += lines.length + 1;
    const text = [...lines, LAST_LINE].map((line) => `${line}\n`).join("");
    const { lost, output } = await this.#process.ask(text, timeoutMs);
    if (lost === undefined) return undefined;
    const failed = /Command failed -:(\d+)/.exec(output)?.[1];
    return {
      text: output.replace(/\n?Command failed -:\d+\n?/, "").trim() || lost,
      line: failed === undefined ? 0 : Number(failed) - before - 1,
    };
  }

  end(): void {
    this.#process.end();
  }
}

/** Undefined: it is not there, which `nsenter` says in its own words. */
function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

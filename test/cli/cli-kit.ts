/** `gantry server` in its own process on a data directory of its own: no root, no containers. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { globSync, lstatSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CommandResult, command, until } from "../e2e/gantry-kit.ts";

/** A directory that goes away at the end of the test. */
export function temporaryDirectory(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "gantry-cli-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export interface RunningServer extends AsyncDisposable {
  /** All that it has printed. */
  readonly output: () => string;
  readonly endpoint: string;
  readonly pid: number;
  /** Ends it as Ctrl-C does. */
  stop(): Promise<void>;
}

/** Starts `gantry server` (or `program server`) on a free port and waits until it is ready. */
export async function startServer(
  dataDirectory: string,
  options: { flags?: readonly string[]; program?: readonly string[] } = {},
): Promise<RunningServer> {
  const [file = "", ...before] = options.program ?? ["bin/gantry"];
  const flags = ["--data-dir", dataDirectory, "--listen", "127.0.0.1:0", ...(options.flags ?? [])];
  const child = spawn(file, [...before, "server", ...flags], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  const endpoint = await until("gantry server is ready", () => {
    if (child.exitCode !== null) throw new Error(`gantry server ended:\n${output}`);
    return /ready\. +endpoint (\S+)/.exec(output)?.[1];
  });
  const stop = (): Promise<void> => end(child);
  const pid = child.pid ?? 0;
  return { output: () => output, endpoint, pid, stop, [Symbol.asyncDispose]: stop };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "exit");
}

/** `gantry …` with a data directory. */
export function gantry(dataDirectory: string, ...args: readonly string[]): Promise<CommandResult> {
  return command("bin/gantry", args, { GANTRY_DATA_DIR: dataDirectory });
}

/** Every file of a directory with its mode and contents, to see that nothing has changed. */
export function snapshot(directory: string): Record<string, string> {
  const paths = globSync("**/*", { cwd: directory }).sort();
  return Object.fromEntries(
    paths.map((path) => {
      const full = join(directory, path);
      const { mode } = lstatSync(full);
      const isFile = lstatSync(full).isFile();
      const contents = isFile ? createHash("sha256").update(readFileSync(full)).digest("hex") : "";
      return [path, `${mode.toString(8)} ${contents}`];
    }),
  );
}

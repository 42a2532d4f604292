import { readFileSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ImageSettings, Settings } from "../config.ts";
import type { Clock } from "../lib/clock.ts";
import { replaceFile } from "./data-directory.ts";
import { GANTRY_VERSION } from "./version.ts";

/** Which process runs on a data directory. The store's lock decides who may; this only tells others about it. */
export interface ProcessFile {
  readonly pid: number;
  /** When the kernel started it (`/proc/<pid>/stat`): a later process with the same id has another. */
  readonly startTicks: string;
  readonly command: "up" | "server" | "node";
  readonly version: string;
  /** Its own, or the server's that a node works for. */
  readonly endpoint: string;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** How it meets registries, so that a command beside it does so too. Undefined: it pulls no images. */
  readonly registries?: RegistrySettings;
}

export type RegistrySettings = Pick<ImageSettings, "loginFile" | "insecureRegistries">;

/** What of a node's settings is told. */
export function registriesOf({ images }: Settings): RegistrySettings {
  return { loginFile: images.loginFile, insecureRegistries: images.insecureRegistries };
}

function pathIn(dataDirectory: string): string {
  return join(dataDirectory, "process.json");
}

/** Tells that this process runs on `dataDirectory`, until it is disposed. */
export async function announceProcess(
  dataDirectory: string,
  what: Pick<ProcessFile, "command" | "endpoint" | "registries">,
  clock: Clock,
): Promise<Disposable> {
  const { pid } = process;
  const startTicks = startTicksOf(pid) ?? "";
  const startedAt = clock.now();
  const file: ProcessFile = { pid, startTicks, version: GANTRY_VERSION, startedAt, ...what };
  await replaceFile(pathIn(dataDirectory), file);
  return { [Symbol.dispose]: () => rmSync(pathIn(dataDirectory), { force: true }) };
}

/** The process that runs on `dataDirectory`; undefined when there is none. */
export async function findProcess(dataDirectory: string): Promise<ProcessFile | undefined> {
  let file: ProcessFile;
  try {
    file = JSON.parse(await readFile(pathIn(dataDirectory), "utf8")) as ProcessFile;
  } catch (error) {
    const isAbsent = (error as NodeJS.ErrnoException).code === "ENOENT";
    if (isAbsent || error instanceof SyntaxError) return undefined;
    throw error;
  }
  return startTicksOf(file.pid) === file.startTicks ? file : undefined;
}

/** Field 22 of `/proc/<pid>/stat` (proc(5)), counted behind the program's name, which may hold anything. */
function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

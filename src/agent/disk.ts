import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { Journal } from "./journal.ts";
import { OutputFile } from "./output-file.ts";

/** What an agent reads and writes on its machine. An input, like time: the simulator's disks are in memory. */
export interface Disk {
  /** Opens or creates the journal at `path`. */
  openJournal(path: string): Journal;
  /** Makes a directory and those above it; one that is there stays as it is. */
  makeDirectory(path: string, mode?: number): Promise<void>;
  exists(path: string): Promise<boolean>;
  readText(path: string): Promise<string>;
  writeText(path: string, text: string, mode: number): Promise<void>;
  /** Opens or creates the file of a container's output, in a directory that is there. */
  openOutput(path: string): Promise<Output>;
  /** Removes a directory and all below it; none is a success. */
  remove(path: string): Promise<void>;
}

/** A container's output: {@link OutputFile}, or what stands for it. */
export type Output = Pick<OutputFile, "modifiedAt" | "read" | "release" | "size" | "watch"> &
  AsyncDisposable;

/** The machine's file system. */
export const machineDisk: Disk = {
  openJournal: (path) => new Journal(path),
  makeDirectory: async (path, mode) => {
    await mkdir(path, { recursive: true, ...(mode !== undefined && { mode }) });
  },
  exists: async (path) => existsSync(path),
  readText: (path) => readFile(path, "utf8"),
  writeText: (path, text, mode) => writeFile(path, text, { mode }),
  openOutput: (path) => OutputFile.open(path),
  remove: (path) => rm(path, { recursive: true, force: true }),
};

import { existsSync } from "node:fs";
import { mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ExitState } from "./runtime.ts";

/**
 * How containers ended, one small file each. containerd's shim keeps an exit code only in memory; written down here,
 * it survives the shim, the machine, and the agent that did not look in time.
 */
export interface ExitRecords {
  get(id: string): Promise<ExitState | undefined>;
  /** Durable when it resolves. */
  put(id: string, exit: ExitState): Promise<void>;
  /**
   * Writes down that a container is about to start: one without a process that was not started never had one. Outlives
   * the program, not the machine: after that nothing runs, and a container that may have is started again by who wants it.
   */
  putStarted(id: string): Promise<void>;
  wasStarted(id: string): Promise<boolean>;
  /** An unknown id is a success. */
  delete(id: string): Promise<void>;
}

/** Where the records lie below the runtime's state directory. */
export function exitsDirectory(stateDirectory: string): string {
  return join(stateDirectory, "exits");
}

/**
 * Keeps the records in `directory`. Ids are containerd's, which are safe file names. Two who write there at a time need two
 * names.
 */
export async function openExitRecords(directory: string, writer = "new"): Promise<ExitRecords> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const fileOf = (id: string): string => join(directory, `${id}.json`);
  const startedFileOf = (id: string): string => join(directory, `${id}.started`);
  return {
    get: async (id) => {
      const text = await readFile(fileOf(id), "utf8").catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return undefined;
        throw error;
      });
      return text === undefined ? undefined : (JSON.parse(text) as ExitState);
    },
    put: async (id, exit) => {
      const draft = `${fileOf(id)}.${writer}`;
      const file = await open(draft, "w", 0o600);
      try {
        await file.writeFile(JSON.stringify(exit));
        await file.datasync();
      } finally {
        await file.close();
      }
      await rename(draft, fileOf(id));
    },
    putStarted: (id) => writeFile(startedFileOf(id), "", { mode: 0o600 }),
    wasStarted: async (id) => existsSync(startedFileOf(id)),
    delete: async (id) => {
      await rm(fileOf(id), { force: true });
      await rm(startedFileOf(id), { force: true });
    },
  };
}

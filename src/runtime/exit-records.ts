import { existsSync } from "node:fs";
import { mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isNoSpace } from "../lib/no-space.ts";
import type { OutputStreams } from "./output-streams.ts";
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
   * It also has the block on the disk that an exit record needs, when there is no other.
   */
  putStarted(id: string, streams?: OutputStreams): Promise<void>;
  /** What it was started with, if that is known. */
  streams(id: string): Promise<OutputStreams | undefined>;
  wasStarted(id: string): Promise<boolean>;
  /** An unknown id is a success. */
  delete(id: string): Promise<void>;
}

/** Where the records lie below the runtime's state directory. */
export function exitsDirectory(stateDirectory: string): string {
  return join(stateDirectory, "exits");
}

/** As long as anything that comes in its place. */
const STARTED_BYTES = 512;

interface Started {
  readonly streams?: OutputStreams | undefined;
  /** Of a container that ended while the disk was full. */
  readonly exit?: ExitState;
}

/**
 * Keeps the records in `directory`. Ids are containerd's, which are safe file names. Two who write there at a time need two
 * names.
 */
export async function openExitRecords(directory: string, writer = "new"): Promise<ExitRecords> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const fileOf = (id: string): string => join(directory, `${id}.json`);
  const startedFileOf = (id: string): string => join(directory, `${id}.started`);
  const started = async (id: string): Promise<Started> => readStarted(startedFileOf(id));
  return {
    get: async (id) => {
      const text = await readIfThere(fileOf(id));
      return text === undefined ? (await started(id)).exit : (JSON.parse(text) as ExitState);
    },
    put: async (id, exit) => {
      const draft = `${fileOf(id)}.${writer}`;
      try {
        await writeDurably(draft, "w", JSON.stringify(exit));
        await rename(draft, fileOf(id));
      } catch (error) {
        await rm(draft, { force: true });
        if (!isNoSpace(error) || !existsSync(startedFileOf(id))) throw error;
        // Over what is there: that takes no room.
        const { streams } = await started(id);
        await writeDurably(startedFileOf(id), "r+", JSON.stringify({ exit, streams }));
      }
    },
    putStarted: (id, streams) =>
      writeFile(startedFileOf(id), JSON.stringify({ streams }).padEnd(STARTED_BYTES), {
        mode: 0o600,
      }),
    streams: async (id) => (await started(id)).streams,
    wasStarted: async (id) => existsSync(startedFileOf(id)),
    delete: async (id) => {
      await rm(fileOf(id), { force: true });
      await rm(startedFileOf(id), { force: true });
    },
  };
}

async function readIfThere(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
}

/** Nothing of one by a former version, which was empty, or that a loss of power cut off. */
async function readStarted(path: string): Promise<Started> {
  const text = (await readIfThere(path)) ?? "";
  try {
    return JSON.parse(text) as Started;
  } catch {
    return {};
  }
}

async function writeDurably(path: string, flags: "w" | "r+", text: string): Promise<void> {
  const file = await open(path, flags, 0o600);
  try {
    await file.writeFile(text.padEnd(flags === "w" ? 0 : STARTED_BYTES));
    await file.datasync();
  } finally {
    await file.close();
  }
}

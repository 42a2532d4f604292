import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SetupError } from "../lib/errors.ts";
import type { Random } from "../lib/random.ts";

/** What makes a data directory's system different from any other on the same machine. */
export interface Identity {
  /** 6 lowercase hex: part of every name of ours that the whole machine can see (namespaces, links, tables, cgroups). */
  readonly systemId: string;
  /** The machine as a container instance: `i-` and 17 hex. */
  readonly ec2InstanceId: string;
}

/** Makes the directory (0700) and its identity on first use. Throws SetupError if it cannot be used. */
export async function openDataDirectory(directory: string, random: Random): Promise<Identity> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const existing = await readIdentity(directory);
    if (existing !== undefined) return existing;
    const identity: Identity = {
      systemId: random.hex(3),
      ec2InstanceId: `i-${random.hex(9).slice(0, 17)}`,
    };
    const path = join(directory, "identity.json");
    await writeFile(`${path}.new`, `${JSON.stringify(identity, null, 2)}\n`, { mode: 0o600 });
    await rename(`${path}.new`, path);
    return identity;
  } catch (cause) {
    if (cause instanceof SetupError) throw cause;
    throw new SetupError(
      `cannot use the data directory ${directory}: ${(cause as Error).message}; choose another with --data-dir or GANTRY_DATA_DIR`,
      { cause },
    );
  }
}

/** The identity of a directory that has one; undefined for a new one. */
export async function readIdentity(directory: string): Promise<Identity | undefined> {
  const path = join(directory, "identity.json");
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as Identity;
  } catch (cause) {
    throw new SetupError(`${path} is damaged: restore it from a backup`, { cause });
  }
}

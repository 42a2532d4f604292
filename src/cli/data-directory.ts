import {
  access,
  constants,
  mkdir,
  open,
  readFile,
  rename,
  rm,
  statfs,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { messageOf, SetupError } from "../lib/errors.ts";
import type { Random } from "../lib/random.ts";

/** What makes a data directory's system different from any other on the same machine. */
export interface Identity {
  /** 6 lowercase hex: part of every name of ours that the whole machine can see (namespaces, links, tables, cgroups). */
  readonly systemId: string;
  /** The machine as a container instance: `i-` and 17 hex. */
  readonly ec2InstanceId: string;
}

/** Chosen. A first start writes less; a server with less room soon refuses every change. */
const FREE_BYTES_MIN = 16 * 1024 * 1024;

/** Makes the directory (0700) and its identity on first use. Throws SetupError if it cannot be used. */
export async function openDataDirectory(directory: string, random: Random): Promise<Identity> {
  try {
    await refuseUnfitPlace(directory);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const existing = await readIdentity(directory);
    if (existing !== undefined) return existing;
    const identity: Identity = {
      systemId: random.hex(3),
      ec2InstanceId: `i-${random.hex(9).slice(0, 17)}`,
    };
    await replaceFile(join(directory, "identity.json"), identity, "durable");
    return identity;
  } catch (cause) {
    if (cause instanceof SetupError) throw cause;
    throw new SetupError(
      `cannot use the data directory ${directory}: ${messageOf(cause)}; choose another with --data-dir or GANTRY_DATA_DIR`,
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

/**
 * Writes a document whole or not at all (0600): a reader never sees half of it, a full disk leaves the old one. `durable`: when it
 * resolves, the disk has it.
 */
export async function replaceFile(
  path: string,
  document: unknown,
  durability: "quick" | "durable" = "quick",
): Promise<void> {
  const unfinished = `${path}.new`;
  try {
    await writeFile(unfinished, `${JSON.stringify(document, null, 2)}\n`, { mode: 0o600 });
    if (durability === "durable") await sync(unfinished);
    await rename(unfinished, path);
    if (durability === "durable") await sync(dirname(path));
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

/** Makes a file's contents, or a directory's names, durable. */
async function sync(path: string): Promise<void> {
  await using file = await open(path, "r");
  await file.sync();
}

/** The directory itself, or where it would be made. */
export async function nearestExisting(path: string): Promise<string> {
  try {
    await statfs(path);
    return path;
  } catch (error) {
    const parent = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || parent === path) throw error;
    return nearestExisting(parent);
  }
}

/** Before anything is made. */
async function refuseUnfitPlace(directory: string): Promise<void> {
  const place = await nearestExisting(directory);
  await access(place, constants.W_OK);
  const { bavail, bsize } = await statfs(place);
  if (bavail * bsize >= FREE_BYTES_MIN) return;
  throw new SetupError(
    `the disk of ${directory} is full (less than ${FREE_BYTES_MIN / 2 ** 20} MiB free): make room on it, or choose another data directory with --data-dir or GANTRY_DATA_DIR`,
  );
}

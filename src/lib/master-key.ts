import { open, readFile } from "node:fs/promises";
import { messageOf, SetupError } from "./errors.ts";
import type { Random } from "./random.ts";

const KEY_BYTES = 32;

/**
 * The key that secrets are sealed with: 32 bytes in a file of its own (base64, 0600), so that the state can be backed up and
 * looked at without it. Made on first use. Throws SetupError when the file is not what it was.
 */
export async function openMasterKey(path: string, random: Random): Promise<Uint8Array> {
  const existing = await read(path);
  if (existing !== undefined) return existing;
  const key = random.bytes(KEY_BYTES);
  await using file = await open(path, "wx", 0o600);
  await file.writeFile(`${Buffer.from(key).toString("base64")}\n`);
  await file.sync();
  return key;
}

async function read(path: string): Promise<Uint8Array | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new SetupError(`cannot read the master key ${path}: ${messageOf(cause)}`, { cause });
  }
  const key = Buffer.from(text.trim(), "base64");
  if (key.length === KEY_BYTES) return key;
  throw new SetupError(
    `the master key ${path} is damaged: restore it from a backup; without it no secret can be read`,
  );
}

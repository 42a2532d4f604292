import { chmod, mkdir } from "node:fs/promises";

/**
 * Makes a directory that only its owner may look into, with those above it. One that is there becomes such: what lies in it may
 * be readable to everybody by its own mode, as containerd's database is, with all that containers are given.
 */
export async function openPrivateDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o700);
}

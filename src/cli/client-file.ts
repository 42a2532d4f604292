import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SetupError } from "../lib/errors.ts";

/** What a client needs to talk to a running Gantry. Written by `gantry up`, 0600, read by `gantry env` and `gantry aws`. */
export interface ClientFile {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** The default VPC's subnets, one per availability zone. */
  readonly subnetIds: readonly string[];
}

function pathIn(dataDirectory: string): string {
  return join(dataDirectory, "client.json");
}

/** Replaces the file whole, so that a reader never sees half of it. */
export async function writeClientFile(dataDirectory: string, client: ClientFile): Promise<void> {
  const path = pathIn(dataDirectory);
  await writeFile(`${path}.new`, `${JSON.stringify(client, null, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** Throws SetupError that says what to do when no Gantry was ever ready on this data directory, or it is not ours to read. */
export async function readClientFile(dataDirectory: string): Promise<ClientFile> {
  try {
    return JSON.parse(await readFile(pathIn(dataDirectory), "utf8")) as ClientFile;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "EACCES") {
      throw new SetupError(`${pathIn(dataDirectory)} belongs to another user: run this as root`, {
        cause,
      });
    }
    throw new SetupError(
      `no Gantry has been started on ${dataDirectory}: start one with 'npm start', or name its directory with --data-dir or GANTRY_DATA_DIR`,
      { cause },
    );
  }
}

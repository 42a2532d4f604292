import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SetupError } from "../lib/errors.ts";
import { replaceFile } from "./data-directory.ts";
import { START_COMMAND } from "./program.ts";

/** What a client needs to talk to a running Gantry. Written when it is ready, 0600, read by the other commands. */
export interface ClientFile {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** The default VPC's subnets, one per availability zone. */
  readonly subnetIds: readonly string[];
  /** A PEM file: the certificate authority to trust, where the public ones do not do. */
  readonly authorityPath?: string | undefined;
}

function pathIn(dataDirectory: string): string {
  return join(dataDirectory, "client.json");
}

/** Replaces the file whole, so that a reader never sees half of it. */
export async function writeClientFile(dataDirectory: string, client: ClientFile): Promise<void> {
  await replaceFile(pathIn(dataDirectory), client);
}

/** Throws SetupError that says what to do when no Gantry was ever ready on this data directory, or it is not ours to read. */
export async function readClientFile(dataDirectory: string): Promise<ClientFile> {
  const path = pathIn(dataDirectory);
  try {
    return JSON.parse(await readFile(path, "utf8")) as ClientFile;
  } catch (cause) {
    if (cause instanceof SyntaxError) {
      throw new SetupError(`${path} is damaged: start Gantry again, which writes it anew`, {
        cause,
      });
    }
    if ((cause as NodeJS.ErrnoException).code === "EACCES") {
      throw new SetupError(`${path} belongs to another user: run this as that user, or as root`, {
        cause,
      });
    }
    throw neverStarted(dataDirectory, cause);
  }
}

/** For commands that need a Gantry on a data directory where none ever was. */
export function neverStarted(dataDirectory: string, cause?: unknown): SetupError {
  return new SetupError(
    `no Gantry has been started on ${dataDirectory}: start one with '${START_COMMAND}', or name its directory with --data-dir or GANTRY_DATA_DIR`,
    { cause },
  );
}

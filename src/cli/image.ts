import { createReadStream } from "node:fs";
import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import type { Settings } from "../config.ts";
import { systemClock } from "../lib/clock.ts";
import { SetupError, UnavailableError } from "../lib/errors.ts";
import { createLog } from "../lib/log.ts";
import { connectRuntime } from "../node.ts";
import { ImageError } from "../runtime/runtime.ts";
import { readIdentity } from "./data-directory.ts";

/** `gantry image load FILE`: imports an archive into this machine's engine, showing progress. */
export async function image(settings: Settings, words: readonly string[]): Promise<number> {
  const [verb, file, ...more] = words;
  if (verb !== "load" || file === undefined || more.length > 0) {
    throw new SetupError(
      "usage: gantry image load FILE, a tar file of an OCI layout or of 'docker save'",
    );
  }
  const identity = await readIdentity(settings.dataDirectory);
  if (identity === undefined) {
    throw new SetupError(
      `no Gantry has been started on ${settings.dataDirectory}: start one with 'npm start', or name its directory with --data-dir or GANTRY_DATA_DIR`,
    );
  }
  try {
    await access(file, constants.R_OK);
  } catch (cause) {
    throw new SetupError(`cannot read ${file}: ${(cause as Error).message}`, { cause });
  }
  const log = createLog({
    clock: systemClock,
    level: "warn",
    write: (line) => process.stderr.write(line),
  });
  await using runtime = await connectRuntime({
    directory: join(settings.dataDirectory, "node"),
    identity,
    clock: systemClock,
    log,
  }).catch((cause: unknown) => {
    if (!(cause instanceof UnavailableError)) throw cause;
    throw new SetupError(
      `no Gantry runs on ${settings.dataDirectory}: start it with 'npm start', or name another with --data-dir or GANTRY_DATA_DIR`,
      { cause },
    );
  });
  try {
    const images = await runtime.loadImage(createReadStream(file), (text) =>
      process.stderr.write(`${text}\n`),
    );
    for (const { name, digest } of images) process.stdout.write(`${name} ${digest}\n`);
    return 0;
  } catch (cause) {
    if (cause instanceof ImageError) throw new SetupError(`${file}: ${cause.message}`, { cause });
    throw cause;
  }
}

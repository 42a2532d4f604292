import { createReadStream } from "node:fs";
import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import type { Settings } from "../config.ts";
import { systemClock } from "../lib/clock.ts";
import { SetupError, UnavailableError } from "../lib/errors.ts";
import { connectRuntime } from "../node.ts";
import { ImageError } from "../runtime/runtime.ts";
import { neverStarted } from "./client-file.ts";
import { readIdentity } from "./data-directory.ts";
import { stderrLog } from "./foreground.ts";
import { START_COMMAND } from "./program.ts";

/** `gantry image load FILE`: imports an archive into this machine's engine, showing progress. */
export async function image(settings: Settings, file: string): Promise<number> {
  const { dataDirectory } = settings;
  const identity = await readIdentity(dataDirectory);
  if (identity === undefined) throw neverStarted(dataDirectory);
  try {
    await access(file, constants.R_OK);
  } catch (cause) {
    throw new SetupError(`cannot read ${file}: ${(cause as Error).message}`, { cause });
  }
  const log = stderrLog("warn");
  await using runtime = await connectRuntime({
    directory: join(dataDirectory, "node"),
    identity,
    images: settings.images,
    clock: systemClock,
    log,
  }).catch((cause: unknown) => {
    if (!(cause instanceof UnavailableError)) throw cause;
    throw new SetupError(
      `no Gantry runs on ${dataDirectory}: start it with '${START_COMMAND}', or name another with --data-dir or GANTRY_DATA_DIR`,
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

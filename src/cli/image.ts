import { createReadStream } from "node:fs";
import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import type { ImageSettings, Settings } from "../config.ts";
import { systemClock } from "../lib/clock.ts";
import { SetupError, UnavailableError } from "../lib/errors.ts";
import { connectRuntime } from "../node.ts";
import type { ImageSummary } from "../runtime/image-catalogue.ts";
import { PullError } from "../runtime/pull.ts";
import { ImageError, type Runtime } from "../runtime/runtime.ts";
import { neverStarted } from "./client-file.ts";
import { type Identity, readIdentity } from "./data-directory.ts";
import { stderrLog } from "./foreground.ts";
import { findProcess } from "./process-file.ts";
import { START_COMMAND } from "./program.ts";
import { mebibytes, ProgressLine, progressText, retryText } from "./progress.ts";

type Action = (runtime: Runtime, subject: string) => Promise<void>;

/** What follows `gantry image`, and the word that each needs behind it. */
const ACTIONS: Readonly<Record<string, { readonly needs?: "FILE" | "NAME"; run: Action }>> = {
  load: { needs: "FILE", run: load },
  pull: { needs: "NAME", run: pull },
  list: { run: list },
  rm: { needs: "NAME", run: remove },
};

/** `gantry image load|pull|list|rm`: the images in this machine's engine. */
export async function image(settings: Settings, words: readonly string[]): Promise<number> {
  const [name = "", subject] = words;
  const action = ACTIONS[name];
  if (action === undefined || (action.needs === undefined) !== (subject === undefined)) {
    const usage = ["gantry image", name, action?.needs].filter(Boolean).join(" ");
    throw new SetupError(`usage: ${usage}. See 'gantry image --help'.`);
  }
  const identity = await readIdentity(settings.dataDirectory);
  if (identity === undefined) throw neverStarted(settings.dataDirectory);
  if (action.needs === "FILE") await requireReadable(subject ?? "");
  await using runtime = await connect(settings, identity);
  try {
    await action.run(runtime, subject ?? "");
    return 0;
  } catch (cause) {
    if (!(cause instanceof ImageError)) throw cause;
    const remedy = cause instanceof PullError && cause.remedy ? `\n  ${cause.remedy}` : "";
    const about = subject === undefined ? "" : `${subject}: `;
    throw new SetupError(`${about}${cause.message}${remedy}`, { cause });
  }
}

async function requireReadable(file: string): Promise<void> {
  try {
    await access(file, constants.R_OK);
  } catch (cause) {
    throw new SetupError(`cannot read ${file}: ${(cause as Error).message}`, { cause });
  }
}

async function connect(settings: Settings, identity: Identity): ReturnType<typeof connectRuntime> {
  const { dataDirectory } = settings;
  const images = await imageSettings(settings);
  const directory = join(dataDirectory, "node");
  const log = stderrLog("warn");
  return connectRuntime({ directory, identity, images, clock: systemClock, log }).catch(
    (cause: unknown) => {
      if (!(cause instanceof UnavailableError)) throw cause;
      throw new SetupError(
        `no Gantry runs on ${dataDirectory}: start it with '${START_COMMAND}', or name another with --data-dir or GANTRY_DATA_DIR`,
        { cause },
      );
    },
  );
}

/** What is not given here is as the running Gantry has it: whoever pulls beside it means its registries. */
async function imageSettings({ dataDirectory, images }: Settings): Promise<ImageSettings> {
  const { registries } = (await findProcess(dataDirectory)) ?? {};
  const given = images.insecureRegistries.length > 0;
  return {
    ...images,
    loginFile: images.loginFile ?? registries?.loginFile,
    insecureRegistries: (given ? images : (registries ?? images)).insecureRegistries,
  };
}

async function load(runtime: Runtime, file: string): Promise<void> {
  const images = await runtime.loadImage(createReadStream(file), (text) =>
    process.stderr.write(`${text}\n`),
  );
  for (const { name, digest } of images) process.stdout.write(`${name} ${digest}\n`);
}

async function pull(runtime: Runtime, reference: string): Promise<void> {
  const line = new ProgressLine(process.stderr, systemClock);
  const abort = new AbortController();
  const interrupt = (): void => abort.abort(new SetupError("interrupted: nothing of it is kept"));
  process.once("SIGINT", interrupt);
  try {
    const { name, digest } = await runtime.pullImage(reference, {
      onResolved: (resolved) => line.show(`${reference} is ${resolved}`, { isLast: true }),
      onProgress: (progress) => line.show(progressText(progress), { isLast: false }),
      patience: { onRetry: (retry) => line.show(retryText(retry), { isLast: true }) },
      signal: abort.signal,
    });
    line.end();
    process.stdout.write(`${name} ${digest}\n`);
  } finally {
    line.end();
    process.off("SIGINT", interrupt);
  }
}

async function list(runtime: Runtime): Promise<void> {
  const rows = (await runtime.listImages()).map(rowOf);
  const table = [["IMAGE", "DIGEST", "SIZE", "ORIGIN", "CONTAINERS"], ...rows];
  const widths = [0, 1, 2, 3].map((at) => Math.max(...table.map((row) => row[at]?.length ?? 0)));
  for (const row of table) {
    const cells = row.map((cell, at) => cell.padEnd(widths[at] ?? 0));
    process.stdout.write(`${cells.join("  ").trimEnd()}\n`);
  }
}

function rowOf({ bytes, digest, name, origin, usedBy }: ImageSummary): readonly string[] {
  // As many characters as Docker shows.
  const short = digest.replace("sha256:", "").slice(0, 12);
  return [name, short, `${mebibytes(bytes)} MiB`, origin, String(usedBy.length)];
}

async function remove(runtime: Runtime, reference: string): Promise<void> {
  const name = await runtime.removeImage(reference);
  if (name === undefined) throw new ImageError("no such image on this machine");
  process.stdout.write(`${name} removed\n`);
}

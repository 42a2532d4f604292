import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readSettings } from "../config.ts";
import { SetupError } from "../lib/errors.ts";
import { systemRandom } from "../lib/random.ts";
import { openDataDirectory } from "./data-directory.ts";
import { image } from "./image.ts";

test("`image load` beside a Gantry that does not run says at once to start it", async () => {
  const directory = mkdtempSync(join(tmpdir(), "gantry-cli-"));
  try {
    await openDataDirectory(directory, systemRandom);
    const archive = join(directory, "hello.tar");
    writeFileSync(archive, "");
    const settings = readSettings({}, { GANTRY_DATA_DIR: directory });
    await assert.rejects(image(settings, ["load", archive]), (error) => {
      assert.ok(error instanceof SetupError);
      assert.match(error.message, /no Gantry runs on .*: start it with 'npm start'/);
      return true;
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test("`image` says how it is called", async () => {
  const settings = readSettings({}, { GANTRY_DATA_DIR: "/nowhere" });
  for (const [words, usage] of [
    [["load"], "usage: gantry image load FILE."],
    [["pull"], "usage: gantry image pull NAME."],
    [["rm"], "usage: gantry image rm NAME."],
    [["list", "more"], "usage: gantry image list."],
  ] as const) {
    await assert.rejects(image(settings, words), (error) => {
      assert.ok(error instanceof SetupError);
      assert.ok(error.message.startsWith(usage), error.message);
      return true;
    });
  }
});

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { systemClock } from "../lib/clock.ts";
import { createOutputPipes } from "./output-pipes.ts";

const run = promisify(execFile);

test("a pipe takes what writers bring one after the other, and is used again", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "gantry-pipes-"));
  t.after(() => rm(directory, { recursive: true }));
  const pipes = createOutputPipes(join(directory, "pipes"), systemClock);
  const paths: string[] = [];
  for (const word of ["one", "two"]) {
    const pipe = await pipes.open(100);
    paths.push(pipe.path);
    // As a shim does with a command that ends at once: it has closed standard output before it opens standard error.
    for (const stream of ["out", "err"]) {
      await run("sh", ["-c", `echo ${word} ${stream} > "$0"`, pipe.path], { timeout: 20_000 });
    }
    assert.equal(await pipe.close(), `${word} out\n${word} err\n`);
  }
  assert.equal(paths[0], paths[1]);
});

import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openPrivateDirectory } from "./private-directory.ts";

test("a private directory is nobody else's, whether it was there or not", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "gantry-private-"));
  t.after(() => rm(directory, { recursive: true }));
  const [fresh, open] = [join(directory, "a", "b"), join(directory, "open")];
  await mkdir(open, { mode: 0o755 });
  for (const path of [fresh, open]) {
    await openPrivateDirectory(path);
    assert.equal((await stat(path)).mode & 0o777, 0o700);
  }
});

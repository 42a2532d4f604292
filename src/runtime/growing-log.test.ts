import assert from "node:assert/strict";
import { mkdtemp, open, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { cutOff, LOG_BYTES_MAX } from "./growing-log.ts";

test("a log that has grown too long begins anew under the hands of who appends to it, and is kept once", async () => {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "gantry-log-"));
  stack.defer(() => rm(directory, { recursive: true }));
  const path = join(directory, "log");
  const file = stack.use(await open(path, "a"));
  await file.write("first\n");
  await cutOff(path);
  assert.equal(await readFile(path, "utf8"), "first\n", "a short one is left alone");
  await file.write(Buffer.alloc(LOG_BYTES_MAX));
  await cutOff(path);
  await file.write("next\n");
  assert.equal(await readFile(path, "utf8"), "next\n");
  assert.equal((await stat(`${path}.1`)).size, LOG_BYTES_MAX + "first\n".length);
});

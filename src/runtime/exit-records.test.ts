import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openExitRecords } from "./exit-records.ts";

test("an exit record outlives who wrote it, until it is deleted", async () => {
  const directory = await mkdtemp(join(tmpdir(), "gantry-exits-"));
  try {
    const exit = { exitCode: 137, exitedAt: 1_700_000_000_000, oomKilled: true };
    await (await openExitRecords(directory)).put("t1-web", exit);
    const records = await openExitRecords(directory);
    assert.deepEqual(await records.get("t1-web"), exit);
    assert.equal(await records.get("t1-other"), undefined);
    await records.delete("t1-web");
    await records.delete("t1-web");
    assert.deepEqual(await readdir(directory), []);
  } finally {
    await rm(directory, { recursive: true });
  }
});

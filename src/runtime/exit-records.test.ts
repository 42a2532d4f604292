import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { SmallDisk } from "../../test/small-disk.ts";
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

test("how a container ended is written down on a full disk too", async (t) => {
  using disk = SmallDisk.mount(1 << 20);
  if (disk === undefined) return t.skip("needs the right to mount a tmpfs");
  const records = await openExitRecords(disk.path);
  const streams = { stdout: "pipe:[4711]", stderr: "pipe:[4712]" };
  await records.putStarted("t1-web", streams);
  disk.fill();
  const exit = { exitCode: 3, exitedAt: 1_700_000_000_000, oomKilled: false };
  await records.put("t1-web", exit);
  const again = await openExitRecords(disk.path);
  assert.deepEqual(await again.get("t1-web"), exit);
  assert.deepEqual(await again.streams("t1-web"), streams);
  assert.ok(await again.wasStarted("t1-web"));
  await assert.rejects(again.put("t1-other", exit), { code: "ENOSPC" });
  await again.delete("t1-web");
  assert.deepEqual(await readdir(disk.path), ["ballast"]);
});
